/**
 * Draws what lies over the picture on the stage: canvas, split, and what a tool shows, in px of the screen.
 */
import { drawLoupe } from "./loupe.js";

/** @typedef {import("./gl/small.js").Rect} Rect */
/**
 * @typedef {object} Overlay what a tool shows, in px of the picture
 * @property {[number, number][]} [path]
 * @property {boolean} [closed]
 * @property {boolean} [handles]
 * @property {{x: number, y: number, adds: boolean}[]} [marks] points of an object, and of what is none of it
 * @property {Rect & {bytes: Uint8Array}} [region]
 * @property {{x: number, y: number, radius: number, finger?: boolean}} [cursor]
 */
/**
 * @typedef {object} Sheet
 * @property {import("./gl/types.js").Scene} scene
 * @property {Overlay | null} tool
 * @property {Guide[]} guides
 * @property {HTMLCanvasElement} picture what lies below, as it is drawn
 */
/** @typedef {{y: number, label: string}} Guide a line across the canvas, in px of the picture */

const LIGHT = "#fff";
const DARK = "rgb(0 0 0 / 75%)";
/** A region is drawn with at most this many px. */
const REGION_PIXELS = 1 << 20;
const TINT = [91, 82, 240];

export class OverlayCanvas {
  #region = { of: /** @type {unknown} */ (null), canvas: document.createElement("canvas") };

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
  }

  /** @param {Sheet} sheet */
  draw({ scene, tool, guides, picture }) {
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(scene.ratio, 0, 0, scene.ratio, 0, 0);
    for (const pane of scene.panes) {
      context.save();
      context.beginPath();
      context.rect(pane.left, pane.top, pane.width, pane.height);
      context.clip();
      const at = placer(scene, pane);
      if (pane.shows === "result") this.#frame(scene.frame, at);
      for (const guide of guides) this.#guide(guide, scene.frame, at);
      if (tool) this.#tool(tool, at, scene.scale);
      context.restore();
    }
    if (scene.split !== null) this.#split(scene, placer(scene, scene.panes[0]));
    if (tool?.cursor?.finger) {
      const [x, y] = placer(scene, /** @type {import("./gl/types.js").Pane} */ (scene.panes.at(-1)))(tool.cursor.x, tool.cursor.y);
      drawLoupe(context, picture, { x, y, radius: tool.cursor.radius * scene.scale }, scene.ratio);
    }
  }

  /** @param {Rect} frame @param {Placer} at */
  #frame(frame, at) {
    const [left, top] = at(frame.x, frame.y);
    const [right, bottom] = at(frame.x + frame.width, frame.y + frame.height);
    this.context.lineWidth = 1;
    this.context.strokeStyle = "rgb(128 128 136 / 45%)";
    this.context.strokeRect(Math.round(left) - 0.5, Math.round(top) - 0.5, Math.round(right - left) + 1, Math.round(bottom - top) + 1);
  }

  /** @param {Guide} guide @param {Rect} frame @param {Placer} at */
  #guide({ y, label }, frame, at) {
    const [left, line] = at(frame.x, y);
    const [right] = at(frame.x + frame.width, y);
    this.#twice(() => {
      this.context.beginPath();
      this.context.moveTo(left, line);
      this.context.lineTo(right, line);
    }, [6, 4]);
    this.context.font = "600 12px system-ui, sans-serif";
    this.context.lineWidth = 3;
    this.context.strokeStyle = DARK;
    this.context.strokeText(label, left + 8, line - 6);
    this.context.fillStyle = LIGHT;
    this.context.fillText(label, left + 8, line - 6);
  }

  /** @param {import("./gl/types.js").Scene} scene @param {Placer} at */
  #split({ panes, split, frame }, at) {
    const { context } = this;
    const x = Math.round(panes[0].left + Number(split));
    const [, top] = at(0, frame.y);
    const [, bottom] = at(0, frame.y + frame.height);
    context.fillStyle = "rgb(0 0 0 / 30%)";
    context.fillRect(x - 2, top, 4, bottom - top);
    context.fillStyle = LIGHT;
    context.fillRect(x - 1, top, 2, bottom - top);
  }

  /** @param {Overlay} tool @param {Placer} at @param {number} scale */
  #tool({ path, closed, handles, marks, region, cursor }, at, scale) {
    const { context } = this;
    if (region) this.#drawRegion(region, at);
    if (path?.length) {
      this.#twice(() => {
        context.beginPath();
        path.forEach(([x, y], n) => (n ? context.lineTo(...at(x, y)) : context.moveTo(...at(x, y))));
        if (closed) context.closePath();
      }, [5, 4]);
      if (handles) for (const [x, y] of path) this.#handle(...at(x, y));
    }
    for (const { x, y, adds } of marks ?? []) this.#mark(...at(x, y), adds);
    if (cursor) {
      const [x, y] = at(cursor.x, cursor.y);
      this.#twice(() => {
        context.beginPath();
        context.arc(x, y, Math.max(1.5, cursor.radius * scale), 0, 2 * Math.PI);
      });
    }
  }

  /** Stroke a path in white on black, which is seen on every ground. @param {() => void} trace @param {number[]} [dashes] */
  #twice(trace, dashes = []) {
    const { context } = this;
    trace();
    context.setLineDash([]);
    context.lineWidth = 3;
    context.strokeStyle = DARK;
    context.stroke();
    context.setLineDash(dashes);
    context.lineWidth = 1.5;
    context.strokeStyle = LIGHT;
    context.stroke();
    context.setLineDash([]);
  }

  /** @param {number} x @param {number} y */
  #handle(x, y) {
    const { context } = this;
    context.beginPath();
    context.arc(x, y, 5, 0, 2 * Math.PI);
    context.fillStyle = LIGHT;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = DARK;
    context.stroke();
  }

  /** A plus for what belongs to an object, a minus for what does not. @param {number} x @param {number} y @param {boolean} adds */
  #mark(x, y, adds) {
    const { context } = this;
    context.beginPath();
    context.arc(x, y, 9, 0, 2 * Math.PI);
    context.fillStyle = adds ? LIGHT : "#1d1f26";
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = adds ? DARK : LIGHT;
    context.stroke();
    context.beginPath();
    context.moveTo(x - 4, y);
    context.lineTo(x + 4, y);
    if (adds) {
      context.moveTo(x, y - 4);
      context.lineTo(x, y + 4);
    }
    context.stroke();
  }

  /** @param {NonNullable<Overlay["region"]>} region @param {Placer} at */
  #drawRegion(region, at) {
    const [left, top] = at(region.x, region.y);
    const [right, bottom] = at(region.x + region.width, region.y + region.height);
    if (this.#region.of !== region) {
      this.#region.of = region;
      tint(this.#region.canvas, region);
    }
    this.context.drawImage(this.#region.canvas, left, top, right - left, bottom - top);
  }
}

/** @typedef {(x: number, y: number) => [number, number]} Placer */

/** @param {import("./gl/types.js").Scene} scene @param {import("./gl/types.js").Pane} pane @returns {Placer} */
function placer(scene, pane) {
  const [left, top] = [pane.left + pane.width / 2, pane.top + pane.height / 2];
  return (x, y) => [left + (x - scene.x) * scene.scale, top + (y - scene.y) * scene.scale];
}

/** Draw a region as a tint with stripes: not by its hue alone. @param {HTMLCanvasElement} canvas @param {NonNullable<Overlay["region"]>} region */
function tint(canvas, region) {
  const step = Math.max(1, Math.ceil(Math.sqrt((region.width * region.height) / REGION_PIXELS)));
  const width = Math.max(1, Math.floor(region.width / step));
  const height = Math.max(1, Math.floor(region.height / step));
  const stripe = Math.max(4, Math.round(Math.max(width, height) / 90));
  const image = new ImageData(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const level = region.bytes[y * step * region.width + x * step];
      const striped = Math.floor((x + y) / stripe) % 2;
      image.data.set([...TINT, level * (striped ? 0.62 : 0.4)], 4 * (y * width + x));
    }
  }
  canvas.width = width;
  canvas.height = height;
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(image, 0, 0);
}
