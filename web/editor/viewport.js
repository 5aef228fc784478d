/** The part of the picture that a stage shows. All positions on the screen are CSS px, all others px of the picture. */
import { batch, signal } from "../vendor/signals/signals-core.js";

/** @typedef {{x: number, y: number}} Point */
/** @typedef {{x: number, y: number, width: number, height: number}} Rect */
/** @typedef {{left: number, top: number, width: number, height: number}} Pane */
/** @typedef {"none" | "columns" | "rows"} Split */

export const LARGEST_SCALE = 64;
/** Small pictures are enlarged up to this scale when they are fitted. */
const LARGEST_FIT = 4;
/** At least this much of the picture stays on the stage when it is moved. */
const KEPT_ON_STAGE = 48;
/** Between two panes that stand side by side. */
const GAP = 2;
const GLIDE_MS = 180;

export class Viewport {
  /** CSS px for each px of the picture. */
  scale = signal(1);
  /** The point of the picture in the middle of each pane. */
  x = signal(0);
  y = signal(0);
  /** Whether one pane shows the picture, or two panes side by side show the same part of it. */
  split = signal(/** @type {Split} */ ("none"));
  /** Free space around a fitted picture; what floats over the stage lies there. */
  insets = { left: 24, top: 24, right: 24, bottom: 24 };
  #stage = signal({ left: 0, top: 0, width: 1, height: 1 });
  #fitted = true;
  #frame = 0;

  /** @param {number} width of the picture @param {number} height of the picture */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    /** @type {Rect} what `fit` shows, and what can't be moved away: picture and canvas */
    this.bounds = { x: 0, y: 0, width, height };
  }

  /** The stage's place in the window. */
  get stage() {
    return this.#stage.value;
  }

  /**
   * Set where the stage is. A fitted picture stays fitted; any other keeps its middle.
   * @param {number} left
   * @param {number} top
   * @param {number} width
   * @param {number} height
   */
  place(left, top, width, height) {
    batch(() => {
      this.#stage.value = { left, top, width: Math.max(1, width), height: Math.max(1, height) };
      if (this.#fitted) this.#show(this.#fitting());
    });
  }

  /** Show one pane, or two side by side. @param {Split} split */
  arrange(split) {
    batch(() => {
      this.split.value = split;
      if (this.#fitted) this.#show(this.#fitting());
    });
  }

  /** Set what is to be seen; a fitted picture stays fitted. @param {Rect} bounds */
  show(bounds) {
    this.bounds = bounds;
    if (this.#fitted) this.#show(this.#fitting());
  }

  /** The panes, relative to the stage. @returns {Pane[]} */
  panes() {
    const { width, height } = this.stage;
    if (this.split.value === "columns") {
      const half = (width - GAP) / 2;
      return [0, half + GAP].map((left) => ({ left, top: 0, width: half, height }));
    }
    if (this.split.value === "rows") {
      const half = (height - GAP) / 2;
      return [0, half + GAP].map((top) => ({ left: 0, top, width, height: half }));
    }
    return [{ left: 0, top: 0, width, height }];
  }

  /** The picture's point at a place of the window. @param {number} clientX @param {number} clientY @returns {Point} */
  toImage(clientX, clientY) {
    const pane = this.#paneAt(clientX, clientY);
    const scale = this.scale.value;
    return {
      x: this.x.value + (clientX - this.stage.left - pane.left - pane.width / 2) / scale,
      y: this.y.value + (clientY - this.stage.top - pane.top - pane.height / 2) / scale,
    };
  }

  /** The place in the window of a point of the picture, in the last pane. @param {number} x @param {number} y @returns {Point} */
  toScreen(x, y) {
    const pane = /** @type {Pane} */ (this.panes().at(-1));
    const scale = this.scale.value;
    return {
      x: this.stage.left + pane.left + pane.width / 2 + (x - this.x.value) * scale,
      y: this.stage.top + pane.top + pane.height / 2 + (y - this.y.value) * scale,
    };
  }

  /** Enlarge by `factor`; the point of the picture under this place stays there. @param {number} clientX @param {number} clientY @param {number} factor */
  zoomAt(clientX, clientY, factor) {
    this.#stop();
    this.#fitted = false;
    const fixed = this.toImage(clientX, clientY);
    const scale = this.#limited(this.scale.value * factor);
    const rest = this.scale.value / scale;
    const x = fixed.x + (this.x.value - fixed.x) * rest;
    const y = fixed.y + (this.y.value - fixed.y) * rest;
    // A point inside the picture stays on the stage by itself.
    this.#show({ scale, ...(inside(fixed, this.bounds) ? { x, y } : this.#kept(x, y, scale))});
  }

  /** Enlarge by `factor` around the middle, gliding. @param {number} factor */
  zoom(factor) {
    this.#fitted = false;
    const scale = this.#limited(this.scale.value * factor);
    this.#glide({ scale, ...this.#kept(this.x.value, this.y.value, scale) });
  }

  /** Move the picture by px of the screen. @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.#stop();
    this.#fitted = false;
    const scale = this.scale.value;
    this.#show({ scale, ...this.#kept(this.x.value - dx / scale, this.y.value - dy / scale, scale) });
  }

  /** Show all of the picture and of its canvas. */
  fit() {
    this.#fitted = true;
    this.#glide(this.#fitting());
  }

  /** Show one px of the picture as one px of CSS. */
  actual() {
    this.#fitted = false;
    this.#glide({ scale: 1, ...this.#kept(this.x.value, this.y.value, 1) });
  }

  /** Show what was shown before, as `view` had it. @param {{scale: number, x: number, y: number}} view */
  restore(view) {
    this.#fitted = false;
    const scale = this.#limited(view.scale);
    this.#show({ scale, ...this.#kept(view.x, view.y, scale) });
  }

  /** Whether the picture is fitted into the stage. */
  get fitted() {
    return this.#fitted;
  }

  #fitting() {
    const { x, y, width, height } = this.bounds;
    const pane = this.panes()[0];
    const { left, top, right, bottom } = this.insets;
    const room = (/** @type {number} */ length, /** @type {number} */ taken) => Math.max(length - taken, length / 2);
    const scale = Math.min(room(pane.width, left + right) / width, room(pane.height, top + bottom) / height, LARGEST_FIT);
    return { scale, x: x + width / 2 + (right - left) / 2 / scale, y: y + height / 2 + (bottom - top) / 2 / scale };
  }

  /** @param {number} scale */
  #limited(scale) {
    const smallest = Math.min(this.#fitting().scale / 4, 1);
    return Math.min(LARGEST_SCALE, Math.max(smallest, scale));
  }

  /** The nearest middle with which a part of the picture is on the stage. @param {number} x @param {number} y @param {number} scale */
  #kept(x, y, scale) {
    const pane = this.panes()[0];
    const { bounds } = this;
    return {
      x: within(x, bounds.x, bounds.width, pane.width, scale),
      y: within(y, bounds.y, bounds.height, pane.height, scale),
    };
  }

  /** @param {number} clientX @param {number} clientY */
  #paneAt(clientX, clientY) {
    const panes = this.panes();
    const last = /** @type {Pane} */ (panes.at(-1));
    const beyond = clientX - this.stage.left >= last.left && clientY - this.stage.top >= last.top;
    return beyond ? last : panes[0];
  }

  /** @param {{scale: number, x: number, y: number}} view */
  #show({ scale, x, y }) {
    batch(() => {
      this.scale.value = scale;
      this.x.value = x;
      this.y.value = y;
    });
  }

  #stop() {
    if (this.#frame) cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  /** @param {{scale: number, x: number, y: number}} target */
  #glide(target) {
    if (!hasMotion()) return this.#show(target);
    this.#stop();
    const from = { scale: this.scale.value, x: this.x.value, y: this.y.value };
    const start = performance.now();
    const step = (/** @type {number} */ now) => {
      const share = Math.min(1, (now - start) / GLIDE_MS);
      const eased = 1 - (1 - share) ** 3;
      this.#show(share < 1 ? between(from, target, eased) : target);
      this.#frame = share < 1 ? requestAnimationFrame(step) : 0;
    };
    this.#frame = requestAnimationFrame(step);
  }
}

/** @param {Point} point @param {Rect} rect */
function inside({ x, y }, rect) {
  return x >= rect.x && y >= rect.y && x <= rect.x + rect.width && y <= rect.y + rect.height;
}

/**
 * @param {number} middle
 * @param {number} start of the picture
 * @param {number} length of the picture
 * @param {number} room of the pane, in px of the screen
 * @param {number} scale
 */
function within(middle, start, length, room, scale) {
  const reach = (room / 2 - Math.min(KEPT_ON_STAGE, room / 4)) / scale;
  return Math.min(start + length + reach, Math.max(start - reach, middle));
}

/** @param {{scale: number, x: number, y: number}} from @param {{scale: number, x: number, y: number}} to @param {number} share */
function between(from, to, share) {
  // Equal steps look equal when the scale grows by factors.
  const scale = from.scale * (to.scale / from.scale) ** share;
  return { scale, x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

function hasMotion() {
  return typeof matchMedia === "function" && matchMedia("(prefers-reduced-motion: no-preference)").matches;
}
