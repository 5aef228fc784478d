/**
 * Draws over the picture what the brush does not need: regions, paths and points of other tools, guides, and the magnifier beside a finger.
 */
import { drawLoupe } from "./loupe.js";
import { DARK, LIGHT, strokeTwice } from "./overlay.js";

/** @typedef {import("./overlay.js").Overlay} Overlay */
/** @typedef {import("./overlay.js").Guide} Guide */
/** @typedef {import("./overlay.js").Placer} Placer */
/** @typedef {import("./gl/small.js").Rect} Rect */

/** A region is drawn with at most this many px. */
const REGION_PIXELS = 1 << 20;
const TINT = [91, 82, 240];

export class Shapes {
  #region = { of: /** @type {unknown} */ (null), canvas: document.createElement("canvas") };

  /** @param {CanvasRenderingContext2D} context in CSS px */
  constructor(context) {
    this.context = context;
  }

  /** What a tool shows, except for the brush's ring. @param {Overlay} tool @param {Placer} at */
  draw({ path, closed, handles, marks, region }, at) {
    const { context } = this;
    if (region) this.#drawRegion(region, at);
    if (path?.length) {
      strokeTwice(context, () => {
        context.beginPath();
        path.forEach(([x, y], n) => (n ? context.lineTo(...at(x, y)) : context.moveTo(...at(x, y))));
        if (closed) context.closePath();
      }, [5, 4]);
      if (handles) for (const [x, y] of path) this.#handle(...at(x, y));
    }
    for (const { x, y, adds } of marks ?? []) this.#mark(...at(x, y), adds);
  }

  /** @param {Guide[]} guides @param {Rect} frame @param {Placer} at */
  guides(guides, frame, at) {
    for (const guide of guides) this.#guide(guide, frame, at);
  }

  /** Show what a finger hides. @param {NonNullable<Overlay["cursor"]>} finger @param {import("./gl/types.js").Scene} scene @param {HTMLCanvasElement} picture @param {Placer} at */
  magnify(finger, scene, picture, at) {
    const [x, y] = at(finger.x, finger.y);
    drawLoupe(this.context, picture, { x, y, radius: finger.radius * scene.scale }, scene.ratio);
  }

  /** @param {Guide} guide @param {Rect} frame @param {Placer} at */
  #guide({ y, label }, frame, at) {
    const [left, line] = at(frame.x, y);
    const [right] = at(frame.x + frame.width, y);
    strokeTwice(this.context, () => {
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
