/** Outlines: polygon and lasso by vertices that can be moved, rectangle and ellipse by two corners. */
import { ellipse, fill, rectangle, simplify } from "../core/polygon.js";
import { Selection } from "./selection.js";

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./context.js").Place} Place */
/** @typedef {import("../core/polygon.js").Vertex} Vertex */

/** Within this many px of the screen a click meets a vertex; a shorter drag is a click. */
const NEAR = 8;
const STILL = 4;

/** Vertices by clicks, or along a drag; closed by Enter or by a click on the first one. */
export class Outline extends Selection {
  /** @type {Vertex[]} */
  #path = [];
  #closed = false;
  /** The vertex that is dragged; -1 for a line drawn freely. @type {number | null} */
  #held = null;
  /** @type {Vertex[]} */
  #drawn = [];

  /** @param {Context} context @param {"lasso" | "polygon"} name */
  constructor(context, name) {
    super(context);
    this.name = name;
  }

  /** @param {Place} place */
  begin(place) {
    const near = this.#near(place);
    if (near >= 0) {
      this.#held = near;
      this.#drawn = [[place.x, place.y]];
      return;
    }
    if (this.#closed) this.discard();
    if (!this.#path.length) this.remember(place);
    this.#held = -1;
    this.#drawn = [[place.x, place.y]];
  }

  /** @param {Place[]} places */
  move(places) {
    if (this.#held === null) return;
    this.#drawn.push(...places.map(({ x, y }) => /** @type {Vertex} */ ([x, y])));
    const last = /** @type {Vertex} */ (this.#drawn.at(-1));
    if (this.#held >= 0) {
      if (this.#isClick()) return;
      this.#path[this.#held] = last;
      this.#show();
    } else if (this.name === "lasso") this.context.show({ path: [...this.#path, ...this.#drawn] });
    else this.context.show({ path: [...this.#path, last] });
  }

  /** @param {Place} place */
  end(place) {
    const held = this.#held;
    this.#held = null;
    if (held === null) return;
    const click = this.#isClick();
    if (held >= 0 && !click) return this.#closed ? this.#close() : this.#show();
    // A click on the first corner closes the outline, a double click its last one.
    if (click && this.#path.length > 2 && (held === 0 || held === this.#path.length - 1)) return this.#close();
    if (held >= 0) return this.#show();
    if (this.name === "lasso" && !click) {
      this.#path.push(...simplify(this.#drawn, this.context.onScreen(1)));
      return this.#close();
    }
    this.#path.push([place.x, place.y]);
    this.pending.value = true;
    return this.#show();
  }

  cancel() {
    this.#held = null;
    this.#show();
  }

  /** Take the last vertex back. */
  back() {
    if (!this.#path.length) return;
    this.#closed = false;
    this.#path.pop();
    if (!this.#path.length) return this.discard();
    super.discard();
    this.pending.value = true;
    this.#show();
  }

  /** @param {import("./context.js").Mode} [mode] @override */
  async apply(mode) {
    const open = !this.#closed && this.#path.length > 2;
    if (open) this.#close();
    // The first time it closes the outline, which can then still be shaped.
    if (this.#closed && (!open || mode)) await super.apply(mode);
  }

  /** @override */
  discard() {
    this.#path = [];
    this.#closed = false;
    super.discard();
  }

  #close() {
    this.#closed = true;
    const { width, height } = this.context.document;
    const region = fill(this.#path, width, height);
    if (!region.width || !region.height) return this.discard();
    this.#show();
    return this.select(region);
  }

  #show() {
    const path = this.#path.length ? this.#path.slice() : undefined;
    this.context.show({ path, closed: this.#closed, handles: Boolean(path) });
  }

  /** Return the vertex under a place; -1 without one. @param {Place} place */
  #near({ x, y }) {
    const reach = this.context.onScreen(NEAR);
    return this.#path.findIndex(([px, py]) => Math.hypot(px - x, py - y) <= reach);
  }

  #isClick() {
    const [[ax, ay]] = this.#drawn;
    const reach = this.context.onScreen(STILL);
    return this.#drawn.every(([x, y]) => Math.hypot(x - ax, y - ay) < reach);
  }
}

/** A shape between two corners: dragged, or clicked one after the other. Shift makes its sides equal. */
export class Box extends Selection {
  /** @type {Place | null} */
  #first = null;
  #clicked = false;

  /** @param {Context} context @param {"rectangle" | "ellipse"} name */
  constructor(context, name) {
    super(context);
    this.name = name;
    this.outline = name === "rectangle" ? rectangle : ellipse;
  }

  /** @param {Place} place */
  begin(place) {
    if (this.#clicked && this.#first) return;
    super.discard();
    this.remember(place);
    this.#first = place;
  }

  /** @param {Place[]} places */
  move(places) {
    if (this.#first) this.context.show({ path: this.#path(/** @type {Place} */ (places.at(-1))), closed: true });
  }

  /** @param {Place} place */
  hover(place) {
    if (this.#clicked) this.move([place]);
  }

  /** @param {Place} place */
  end(place) {
    if (!this.#first) return;
    const still = Math.hypot(place.x - this.#first.x, place.y - this.#first.y) < this.context.onScreen(STILL);
    if (still && !this.#clicked) {
      this.#clicked = true;
      this.pending.value = true;
      this.context.show({ path: [[place.x, place.y]], handles: true });
      return;
    }
    const path = this.#path(place);
    const { width, height } = this.context.document;
    this.#first = null;
    this.#clicked = false;
    this.context.show({ path, closed: true, handles: false });
    this.select(fill(path, width, height));
  }

  cancel() {
    this.discard();
  }

  /** @override */
  discard() {
    this.#first = null;
    this.#clicked = false;
    super.discard();
  }

  /** @param {Place} place @returns {Vertex[]} */
  #path({ x, y, shift }) {
    const { x: ax, y: ay } = /** @type {Place} */ (this.#first);
    if (!shift) return this.outline([ax, ay], [x, y]);
    const side = Math.max(Math.abs(x - ax), Math.abs(y - ay));
    return this.outline([ax, ay], [ax + Math.sign(x - ax) * side, ay + Math.sign(y - ay) * side]);
  }
}
