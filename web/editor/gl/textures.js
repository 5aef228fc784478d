/**
 * Textures of the WebGL2 renderer: the photo and its mask in tiles, and single pictures.
 */
import { SQUARES, placed } from "./scene.js";
import { stepOf } from "./small.js";

/** @typedef {import("./types.js").Scene} Scene */
/** @typedef {import("./types.js").Rect} Rect */
/** @typedef {{rect: Rect, photo: WebGLTexture | null, mask: WebGLTexture | null, changed: Set<number>, stale: boolean, drawn: number}} Tile */
/** @typedef {{rect: Rect, photo: WebGLTexture | null, mask: WebGLTexture | null, revision: number}} Whole all of the photo and its mask, made small */
/** @typedef {{rect: Rect, photo: WebGLTexture | null, mask: WebGLTexture | null, missing?: Rect}} Drawn `missing`: the part of it that stands in for a tile */

/** Side of a tile, in px of the photo: within what every device takes. */
const SIDE = 1024;
/** Side of the mask's own tiles. */
export const MASK = 256;
/** ms of a frame that new tiles may take; the others follow in the next frame. */
const BUDGET_MS = 14;
/** Tiles that stay on the graphics card; 4 MB of photo and 1 MB of mask each, and a third more for the smaller levels. */
const KEPT = 64;

export class Tiles {
  /** @type {Tile[]} */
  #tiles = [];
  #scratch = document.createElement("canvas");
  #frame = 0;
  #until = 0;
  #waiting = false;
  #scale = 1;
  /** Shown where tiles are missing. @type {Whole | null} */
  #whole = null;
  #fresh = true;

  /** @param {WebGL2RenderingContext} gl @param {import("./types.js").Source} source */
  constructor(gl, source) {
    this.gl = gl;
    this.source = source;
    const { width, height } = source.mask;
    this.columns = Math.ceil(width / SIDE);
    for (let y = 0; y < height; y += SIDE) {
      for (let x = 0; x < width; x += SIDE) {
        const rect = { x, y, width: Math.min(SIDE, width - x), height: Math.min(SIDE, height - y) };
        this.#tiles.push({ rect, photo: null, mask: null, changed: new Set(), stale: true, drawn: 0 });
      }
    }
  }

  /** Note that a part of the mask has changed. @param {Rect} rect */
  change(rect) {
    const { columns, rows } = this.source.mask;
    const right = Math.min(columns - 1, Math.floor((rect.x + rect.width - 1) / MASK));
    const bottom = Math.min(rows - 1, Math.floor((rect.y + rect.height - 1) / MASK));
    const each = SIDE / MASK;
    for (let row = Math.max(0, Math.floor(rect.y / MASK)); row <= bottom; row++) {
      for (let column = Math.max(0, Math.floor(rect.x / MASK)); column <= right; column++) {
        this.#tiles[Math.floor(row / each) * this.columns + Math.floor(column / each)].changed.add(row * columns + column);
      }
    }
  }

  /** @param {number} scale device px for each px of the photo */
  begin(scale) {
    this.#frame++;
    this.#scale = scale;
    if (!this.#whole) this.warm();
    // The first frame waits for no tile.
    this.#until = this.#fresh && this.#whole ? 0 : performance.now() + BUDGET_MS;
    this.#fresh = false;
    this.#waiting = false;
  }

  /** Returns whether tiles are missing. */
  end() {
    this.#release();
    return this.#waiting;
  }

  /** What a pane shows: the tiles that are there, and what stands in for the others. @param {import("./types.js").Pane} pane @param {Scene} scene
   * @returns {Generator<Drawn>} */
  *seen(pane, scene) {
    for (const tile of this.#tiles) {
      const [left, top, right, bottom] = placed(tile.rect, pane, scene).map((at) => at / scene.ratio);
      if (right < pane.left || bottom < pane.top || left > pane.left + pane.width || top > pane.top + pane.height) continue;
      if (!tile.photo && performance.now() > this.#until) {
        this.#waiting = true;
        if (this.#whole) yield { ...this.#standIn(), missing: tile.rect };
        continue;
      }
      this.#upload(tile);
      tile.drawn = this.#frame;
      yield tile;
    }
  }

  /** Upload what the first frame shows of the photo. @param {HTMLCanvasElement} [small] the photo in px of the small mask's cells */
  warm(small) {
    const { photo, mask } = this.source;
    const step = stepOf(mask);
    if (step === 1) return;
    const made = small ?? smallPhoto(photo, mask);
    this.#whole = { rect: { x: 0, y: 0, width: made.width * step, height: made.height * step }, photo: picture(this.gl, made), mask: null, revision: -1 };
  }

  /** Take the mask that has come, before the next frame. */
  renew() {
    this.#fresh = true;
    for (const tile of this.#tiles) if (tile.mask) this.#all(tile);
  }

  /** The small picture with the mask of now. */
  #standIn() {
    const whole = /** @type {Whole} */ (this.#whole);
    const { small } = this.source;
    if (small && whole.revision !== small.update().revision) {
      whole.mask = plane(this.gl, small.bytes, small.width, small.height, 1, whole.mask);
      whole.revision = small.revision;
    }
    return whole;
  }

  /** @param {Tile} tile */
  #make(tile) {
    const { gl } = this;
    tile.photo = this.#photoOf(tile.rect);
    tile.mask = texture(gl);
    gl.texStorage2D(gl.TEXTURE_2D, levels(tile.rect.width, tile.rect.height), gl.R8, tile.rect.width, tile.rect.height);
    this.#all(tile);
  }

  /** @param {Tile} tile */
  #upload(tile) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0);
    if (!tile.photo) this.#make(tile);
    gl.bindTexture(gl.TEXTURE_2D, tile.mask);
    for (const n of tile.changed) this.#uploadMask(tile, n);
    tile.stale ||= tile.changed.size > 0;
    tile.changed.clear();
    // Smaller levels are made when they are drawn.
    if (tile.stale && this.#scale < 1) {
      gl.generateMipmap(gl.TEXTURE_2D);
      tile.stale = false;
    }
    const sharp = this.#scale >= SQUARES ? gl.NEAREST : gl.LINEAR;
    for (const each of [tile.photo, tile.mask]) {
      gl.bindTexture(gl.TEXTURE_2D, each);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, sharp);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, this.#scale < 1 ? gl.LINEAR_MIPMAP_LINEAR : gl.LINEAR);
    }
  }

  /** @param {Tile} tile */
  #all({ rect, changed }) {
    const { columns } = this.source.mask;
    for (let y = rect.y; y < rect.y + rect.height; y += MASK) {
      for (let x = rect.x; x < rect.x + rect.width; x += MASK) changed.add((y / MASK) * columns + x / MASK);
    }
  }

  /** @param {Tile} tile @param {number} n the number of the mask's tile */
  #uploadMask({ rect }, n) {
    const { gl } = this;
    const { mask } = this.source;
    const x = (n % mask.columns) * MASK;
    const y = Math.floor(n / mask.columns) * MASK;
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, MASK);
    const [width, height] = [Math.min(MASK, mask.width - x), Math.min(MASK, mask.height - y)];
    gl.texSubImage2D(gl.TEXTURE_2D, 0, x - rect.x, y - rect.y, width, height, gl.RED, gl.UNSIGNED_BYTE, mask.tile(n));
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, 0);
  }

  /** @param {Rect} rect */
  #photoOf(rect) {
    const { gl } = this;
    const { photo, mask } = this.source;
    // On phones the photo in memory is smaller than the mask.
    const across = photo.width / mask.width;
    const down = photo.height / mask.height;
    const [width, height] = [Math.max(1, Math.round(rect.width * across)), Math.max(1, Math.round(rect.height * down))];
    const draw = (/** @type {CanvasRenderingContext2D} */ context) =>
      context.drawImage(photo, rect.x * across, rect.y * down, rect.width * across, rect.height * down, 0, 0, width, height);
    return picture(gl, drawn(this.#scratch, width, height, draw));
  }

  /** Delete the tiles that were not drawn for the longest time, where there are too many. */
  #release() {
    const held = this.#tiles.filter((tile) => tile.photo);
    if (held.length <= KEPT) return;
    held.sort((one, other) => one.drawn - other.drawn);
    for (const tile of held.slice(0, held.length - KEPT)) {
      if (tile.drawn === this.#frame) return;
      this.gl.deleteTexture(tile.photo);
      this.gl.deleteTexture(tile.mask);
      tile.photo = tile.mask = null;
      tile.stale = true;
    }
  }
}

/** The photo in px of the small mask's cells. @param {import("./types.js").Source["photo"]} photo @param {{width: number, height: number}} mask its size */
export function smallPhoto(photo, mask) {
  const step = stepOf(mask);
  const [width, height] = [mask.width / step, mask.height / step];
  return drawn(document.createElement("canvas"), Math.ceil(width), Math.ceil(height), (context) => context.drawImage(photo, 0, 0, width, height));
}

/** @param {HTMLCanvasElement} canvas @param {number} width @param {number} height @param {(context: CanvasRenderingContext2D) => void} draw */
function drawn(canvas, width, height, draw) {
  [canvas.width, canvas.height] = [width, height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "medium";
  draw(context);
  return canvas;
}

/** A picture with its smaller levels. @param {WebGL2RenderingContext} gl @param {TexImageSource} source @param {WebGLTexture | null} [old] */
export function picture(gl, source, old) {
  if (old) gl.deleteTexture(old);
  const made = texture(gl);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, source);
  gl.generateMipmap(gl.TEXTURE_2D);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  return made;
}

/** Bytes as a texture of one or four channels. @param {WebGL2RenderingContext} gl @param {Uint8Array} bytes @param {number} width @param {number} height @param {1 | 4} channels @param {WebGLTexture | null} [old] */
export function plane(gl, bytes, width, height, channels, old) {
  if (old) gl.deleteTexture(old);
  const made = texture(gl);
  const [inside, format] = channels === 1 ? [gl.R8, gl.RED] : [gl.RGBA8, gl.RGBA];
  gl.texImage2D(gl.TEXTURE_2D, 0, inside, width, height, 0, format, gl.UNSIGNED_BYTE, bytes);
  return made;
}

/** @param {WebGL2RenderingContext} gl */
function texture(gl) {
  const made = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0);
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.LINEAR);
  return made;
}

/** @param {number} width @param {number} height */
function levels(width, height) {
  return Math.floor(Math.log2(Math.max(width, height))) + 1;
}
