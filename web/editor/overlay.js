/**
 * Draws what lies over the picture on the stage: canvas, split and the brush's ring, in px of the screen; `shapes.js` draws what else there is.
 */
import { part } from "../app/connection.js";

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

export const LIGHT = "#fff";
export const DARK = "rgb(0 0 0 / 75%)";

export class OverlayCanvas {
  /** @type {import("./shapes.js").Shapes | undefined} */
  #shapes;
  /** @type {Promise<void> | undefined} */
  #loading;

  /** @param {HTMLCanvasElement} canvas @param {() => void} redraw draws all of the stage again */
  constructor(canvas, redraw) {
    this.redraw = redraw;
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
      if (guides.length) this.#more?.guides(guides, scene.frame, at);
      if (tool?.path || tool?.marks || tool?.region) this.#more?.draw(tool, at);
      if (tool?.cursor) this.#ring(tool.cursor, at, scene.scale);
      context.restore();
    }
    if (scene.split !== null) this.#split(scene, placer(scene, scene.panes[0]));
    if (tool?.cursor?.finger) this.#more?.magnify(tool.cursor, scene, picture, placer(scene, /** @type {import("./gl/types.js").Pane} */ (scene.panes.at(-1))));
  }

  /** Load what draws more than the brush needs. */
  load() {
    // `part` has said why it is not there.
    this.#loading ??= part(() => import("./shapes.js")).then(({ Shapes }) => {
      this.#shapes = new Shapes(this.context);
      this.redraw();
    }, () => undefined);
    return this.#loading;
  }

  /** What draws more than the brush needs, once it is loaded. */
  get #more() {
    this.load();
    return this.#shapes;
  }

  /** @param {Rect} frame @param {Placer} at */
  #frame(frame, at) {
    const [left, top] = at(frame.x, frame.y);
    const [right, bottom] = at(frame.x + frame.width, frame.y + frame.height);
    this.context.lineWidth = 1;
    this.context.strokeStyle = "rgb(128 128 136 / 45%)";
    this.context.strokeRect(Math.round(left) - 0.5, Math.round(top) - 0.5, Math.round(right - left) + 1, Math.round(bottom - top) + 1);
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

  /** @param {NonNullable<Overlay["cursor"]>} cursor @param {Placer} at @param {number} scale */
  #ring(cursor, at, scale) {
    const [x, y] = at(cursor.x, cursor.y);
    strokeTwice(this.context, () => {
      this.context.beginPath();
      this.context.arc(x, y, Math.max(1.5, cursor.radius * scale), 0, 2 * Math.PI);
    });
  }
}

/** @typedef {(x: number, y: number) => [number, number]} Placer */

/** @param {import("./gl/types.js").Scene} scene @param {import("./gl/types.js").Pane} pane @returns {Placer} */
function placer(scene, pane) {
  const [left, top] = [pane.left + pane.width / 2, pane.top + pane.height / 2];
  return (x, y) => [left + (x - scene.x) * scene.scale, top + (y - scene.y) * scene.scale];
}

/** Stroke a path in white on black, which is seen on every ground. @param {CanvasRenderingContext2D} context @param {() => void} trace @param {number[]} [dashes] */
export function strokeTwice(context, trace, dashes = []) {
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
