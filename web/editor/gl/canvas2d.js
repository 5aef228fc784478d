/**
 * Draws a scene with a 2D canvas, where there is no WebGL2: at the view's resolution, each frame from the mask itself.
 */
import { CHECKER, FADED, SQUARES, placed } from "./scene.js";

/** @typedef {import("./types.js").Scene} Scene */
/** @typedef {import("./types.js").Renderer} Renderer */
/** @typedef {Scene["panes"][0]} Pane */
/** @typedef {{left: number, top: number, width: number, height: number}} Part in device px */

const TILE = 256;
const RED = [230, 26, 38];

/** @implements {Renderer} */
export class CanvasRenderer {
  kind = "2d";
  #layer = document.createElement("canvas");
  #cover = document.createElement("canvas");
  #dark = { of: /** @type {unknown} */ (null), canvas: document.createElement("canvas") };

  /** @param {HTMLCanvasElement} canvas @param {import("./types.js").Source} source */
  constructor(canvas, source) {
    this.canvas = canvas;
    this.source = source;
    this.context = contextOf(canvas);
  }

  /** Each frame is drawn from the mask itself: nothing to prepare. */
  show() {}

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
  }

  /** The view without WebGL shows the photo's own colours along edges. */
  setColours() {}

  /** @param {Scene} scene */
  draw(scene) {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!scene.bare) {
      context.fillStyle = css(scene.colours.stage);
      context.fillRect(0, 0, canvas.width, canvas.height);
    }
    for (const pane of scene.panes) {
      context.save();
      context.beginPath();
      context.rect(pane.left * scene.ratio, pane.top * scene.ratio, pane.width * scene.ratio, pane.height * scene.ratio);
      context.clip();
      if (pane.shows === "result") this.#drawResult(scene, pane);
      if (pane.shows === "photo") this.#drawPhoto(context, placed(this.#whole(), pane, scene), scene);
      context.restore();
    }
    return false;
  }

  #whole() {
    const { width, height } = this.source.mask;
    return { x: 0, y: 0, width, height };
  }

  /** @param {Scene} scene @param {Pane} pane */
  #drawResult(scene, pane) {
    const { context, canvas } = this;
    const place = placed(this.#whole(), pane, scene);
    const split = scene.split === null ? null : Math.round((pane.left + scene.split) * scene.ratio);
    this.#drawGround(scene, pane);
    const seen = visible(place, pane, scene);
    if (seen) {
      this.#cutOut(scene, place, seen);
      context.drawImage(this.#layer, seen.left, seen.top);
    }
    if (!scene.bare) this.#fade(placed(scene.frame, pane, scene), scene);
    if (split === null) return;
    context.beginPath();
    context.rect(0, 0, split, canvas.height);
    context.clip();
    context.fillStyle = css(scene.colours.stage);
    context.fillRect(0, 0, split, canvas.height);
    this.#drawPhoto(context, place, scene);
  }

  /** @param {Scene} scene @param {Pane} pane */
  #drawGround(scene, pane) {
    const { context } = this;
    const { ground, shadow } = scene;
    const [left, top, right, bottom] = placed(scene.frame, pane, scene);
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    if (!scene.bare) {
      context.fillStyle = this.#checker(scene);
      context.fillRect(left, top, right - left, bottom - top);
    }
    if (ground.kind === "colour") context.fillStyle = css(ground.colour.slice(0, 3), ground.colour[3]);
    if (ground.kind === "gradient") context.fillStyle = this.#gradient(ground, [left, top, right, bottom]);
    if (ground.kind === "colour" || ground.kind === "gradient") context.fillRect(left, top, right - left, bottom - top);
    if (ground.kind === "picture") {
      const [x, y, x2, y2] = placed(ground.area, pane, scene);
      context.drawImage(ground.picture, x, y, x2 - x, y2 - y);
    }
    if (shadow) {
      const [x, y, x2, y2] = placed(shadow.area, pane, scene);
      context.drawImage(this.#shadow(shadow), x, y, x2 - x, y2 - y);
    }
    context.restore();
  }

  /** @param {Scene} scene */
  #checker({ colours, ratio }) {
    const side = Math.round(CHECKER * ratio);
    const square = document.createElement("canvas");
    square.width = square.height = 2 * side;
    const context = contextOf(square);
    context.fillStyle = css(colours.checker[0]);
    context.fillRect(0, 0, 2 * side, 2 * side);
    context.fillStyle = css(colours.checker[1]);
    context.fillRect(side, 0, side, side);
    context.fillRect(0, side, side, side);
    return /** @type {CanvasPattern} */ (this.context.createPattern(square, "repeat"));
  }

  /** @param {Extract<Scene["ground"], {kind: "gradient"}>} ground @param {number[]} place */
  #gradient({ degrees, first, second }, [left, top, right, bottom]) {
    const angle = (degrees * Math.PI) / 180;
    const [across, down] = [Math.sin(angle), -Math.cos(angle)];
    const half = (Math.abs((right - left) * across) + Math.abs((bottom - top) * down)) / 2;
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    const made = this.context.createLinearGradient(x - across * half, y - down * half, x + across * half, y + down * half);
    made.addColorStop(0, css(first.slice(0, 3)));
    made.addColorStop(1, css(second.slice(0, 3)));
    return made;
  }

  /** @param {NonNullable<Scene["shadow"]>} shadow */
  #shadow(shadow) {
    const { canvas } = this.#dark;
    if (this.#dark.of === shadow) return canvas;
    this.#dark.of = shadow;
    canvas.width = shadow.width;
    canvas.height = shadow.height;
    const image = new ImageData(shadow.width, shadow.height);
    for (let n = 0; n < shadow.bytes.length; n++) image.data[4 * n + 3] = shadow.bytes[n];
    contextOf(canvas).putImageData(image, 0, 0);
    return canvas;
  }

  /** Draw what is seen of the photo, cut out, or under its overlay. @param {Scene} scene @param {number[]} place @param {Part} seen */
  #cutOut(scene, place, seen) {
    for (const canvas of [this.#layer, this.#cover]) {
      canvas.width = seen.width;
      canvas.height = seen.height;
    }
    const layer = contextOf(this.#layer);
    this.#drawPhoto(layer, [place[0] - seen.left, place[1] - seen.top, place[2] - seen.left, place[3] - seen.top], scene);
    const coverage = this.#coverage(place, seen, scene.overlay);
    if (scene.overlay === "none") {
      // Where the photo is transparent itself, no more of it is kept.
      const image = layer.getImageData(0, 0, seen.width, seen.height);
      for (let at = 3; at < image.data.length; at += 4) image.data[at] = Math.min(image.data[at], coverage.data[at]);
      return layer.putImageData(image, 0, 0);
    }
    contextOf(this.#cover).putImageData(coverage, 0, 0);
    layer.drawImage(this.#cover, 0, 0);
  }

  /** The mask at the view's resolution: as alpha, or as what the overlay adds. @param {number[]} place @param {Part} seen @param {Scene["overlay"]} overlay */
  #coverage([left, top, right, bottom], seen, overlay) {
    const { mask } = this.source;
    const image = new ImageData(seen.width, seen.height);
    const columns = Array.from({ length: seen.width }, (_, x) => indexOf(seen.left + x, left, right, mask.width));
    for (let y = 0; y < seen.height; y++) {
      const row = indexOf(seen.top + y, top, bottom, mask.height);
      const first = (row >> 8) * mask.columns;
      const inTile = (row & 255) * TILE;
      for (let x = 0; x < seen.width; x++) {
        const column = columns[x];
        const kept = mask.tile(first + (column >> 8))[inTile + (column & 255)];
        paint(image.data, 4 * (y * seen.width + x), kept, overlay);
      }
    }
    if (overlay === "outline") outline(image);
    return image;
  }

  /** @param {CanvasRenderingContext2D} context @param {number[]} place @param {Scene} scene */
  #drawPhoto(context, [left, top, right, bottom], { scale }) {
    context.imageSmoothingEnabled = scale < SQUARES;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.source.photo, left, top, right - left, bottom - top);
  }

  /** Fade what is outside the canvas. @param {number[]} place @param {Scene} scene */
  #fade([left, top, right, bottom], { colours }) {
    const { context, canvas } = this;
    context.fillStyle = css(colours.stage, FADED);
    context.beginPath();
    context.rect(0, 0, canvas.width, canvas.height);
    context.rect(left, top, right - left, bottom - top);
    context.fill("evenodd");
  }

  close() {}
}

/** @param {Uint8ClampedArray} data @param {number} at @param {number} kept @param {Scene["overlay"]} overlay */
function paint(data, at, kept, overlay) {
  if (overlay === "mask") {
    data[at] = data[at + 1] = data[at + 2] = kept;
    data[at + 3] = 255;
  } else if (overlay === "red") {
    [data[at], data[at + 1], data[at + 2]] = RED;
    data[at + 3] = 0.62 * (255 - kept);
  } else data[at + 3] = kept;
}

/** Turn coverage into its outline, black and white by turns. @param {ImageData} image */
function outline({ data, width, height }) {
  const kept = Uint8Array.from({ length: width * height }, (_, n) => data[4 * n + 3]);
  data.fill(0);
  for (let n = 0; n < kept.length; n++) {
    const right = n % width < width - 1 ? kept[n + 1] : kept[n];
    const below = n + width < kept.length ? kept[n + width] : kept[n];
    const inside = kept[n] >= 128;
    if (inside === right >= 128 && inside === below >= 128) continue;
    const light = 255 * (Math.floor(((n % width) + Math.floor(n / width)) / 4) % 2);
    data.set([light, light, light, 255], 4 * n);
  }
}

/** The px of a picture that a px of the screen shows. @param {number} at @param {number} start @param {number} end @param {number} length */
function indexOf(at, start, end, length) {
  return Math.min(length - 1, Math.max(0, Math.floor(((at + 0.5 - start) / (end - start)) * length)));
}

/** @param {number[]} place @param {Pane} pane @param {Scene} scene @returns {Part | null} */
function visible([left, top, right, bottom], pane, { ratio }) {
  const [x, y] = [Math.max(left, pane.left * ratio), Math.max(top, pane.top * ratio)].map(Math.floor);
  const width = Math.ceil(Math.min(right, (pane.left + pane.width) * ratio)) - x;
  const height = Math.ceil(Math.min(bottom, (pane.top + pane.height) * ratio)) - y;
  return width > 0 && height > 0 ? { left: x, top: y, width, height } : null;
}

/** @param {number[]} light @param {number} [alpha] */
function css([red, green, blue], alpha = 1) {
  return `rgb(${255 * red} ${255 * green} ${255 * blue} / ${alpha})`;
}

/** @param {HTMLCanvasElement} canvas */
function contextOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}
