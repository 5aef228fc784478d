/** The brush: capsules of a falloff, kept by their maximum, over the mask as it was before the stroke. */

import { TILE, union } from "./mask.js";

/** @typedef {import("./mask.js").Rect} Rect */
/** @typedef {{x: number, y: number, size?: number, opacity?: number}} Point position in px of the picture; size and
 *   opacity as factors 0..1 of the brush's (a pen's pressure) */
/** @typedef {{target: number, size: number, hardness: number, opacity: number}} Brush target level 0 or 255; diameter
 *   in px; hardness and opacity 0..1 */
/** @typedef {{tile: Uint8Array, base: Uint8Array, plane: Uint8Array}} Layers a tile, as it was before the stroke, and
 *   the stroke's levels */
/** @typedef {{touch(n: number): Uint8Array}} Touching returns a tile's bytes before the stroke */

const STEPS = 1024;

/** Levels from the inner edge of the falloff to its outer edge: a smooth step. */
const FALLOFF = Uint8Array.from({ length: STEPS + 1 }, (_, i) => {
  const t = Math.min(1, (i + 0.5) / STEPS);
  return Math.floor(255 * (1 - t * t * (3 - 2 * t)) + 0.5);
});

/** Return round(a·b / 255) of two bytes. @param {number} a @param {number} b */
export function product(a, b) {
  const wide = a * b + 128;
  return (wide + (wide >> 8)) >> 8;
}

/** Return the falloff's edges in px from the centre line. @param {number} radius @param {number} hardness */
function edges(radius, hardness) {
  return { inner: Math.max(0, hardness * (radius - 0.5)), outer: radius + 0.5 };
}

/** A stroke over a mask, from its first dab to its end. */
export class Stroke {
  /** @param {import("./mask.js").Mask} mask @param {Touching} transaction @param {Brush} brush */
  constructor(mask, transaction, brush) {
    this.mask = mask;
    this.transaction = transaction;
    this.brush = brush;
    /** @type {Map<number, Layers>} */
    this.tiles = new Map();
    /** @type {Rect | null} */
    this.rect = null;
    /** @type {Point | null} */
    this.last = null;
  }

  /** Paint to a point, from the last one. Returns the rectangle that may have changed. @param {Point} point */
  to(point) {
    const rect = this.#capsule(this.last ?? point, point);
    this.last = point;
    this.rect = union(this.rect, rect);
    if (rect.width && rect.height) this.mask.changed(rect);
    return rect;
  }

  /** @param {Point} a @param {Point} b @returns {Rect} */
  #capsule(a, b) {
    const radius = (this.brush.size / 2) * Math.max(a.size ?? 1, b.size ?? 1);
    const { outer } = edges(radius, this.brush.hardness);
    const top = Math.max(0, Math.floor(Math.min(a.y, b.y) - outer));
    const bottom = Math.min(this.mask.height, Math.ceil(Math.max(a.y, b.y) + outer));
    const left = Math.max(0, Math.floor(Math.min(a.x, b.x) - outer));
    const right = Math.min(this.mask.width, Math.ceil(Math.max(a.x, b.x) + outer));
    if (left >= right || top >= bottom) return { x: 0, y: 0, width: 0, height: 0 };
    const even = (a.size ?? 1) === (b.size ?? 1) && (a.opacity ?? 1) === (b.opacity ?? 1);
    const row = even ? evenRow(a, b, this.brush, radius) : taperedRow(a, b, this.brush);
    for (let y = top; y < bottom; y++) {
      const span = section(a, b, outer, y + 0.5);
      // What is nearest to the segment's start has this level from the segment before.
      if (this.last && even) ahead(a, b, y + 0.5, span);
      const from = Math.max(left, Math.floor(span[0]));
      const to = Math.min(right, Math.ceil(span[1]));
      for (let x = from; x < to; ) {
        const end = Math.min(to, (Math.floor(x / TILE) + 1) * TILE);
        row(this.#layers((y >> 8) * this.mask.columns + (x >> 8)), x, end, y);
        x = end;
      }
    }
    return { x: left, y: top, width: right - left, height: bottom - top };
  }

  /** @param {number} n */
  #layers(n) {
    let found = this.tiles.get(n);
    if (!found) {
      found = { tile: this.mask.tile(n), base: this.transaction.touch(n), plane: new Uint8Array(TILE * TILE) };
      this.tiles.set(n, found);
    }
    return found;
  }
}

/** Keep of a row's span what is not behind the segment's start. @param {Point} a @param {Point} b @param {number} y
 * @param {[number, number]} span */
export function ahead(a, b, y, span) {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  if (dx) {
    const x = a.x - ((y - a.y) * dy) / dx;
    if (dx > 0) span[0] = Math.max(span[0], x - 1);
    else span[1] = Math.min(span[1], x + 1);
  } else if ((y - a.y) * dy < 0) span[1] = span[0];
}

/** Return the columns between which a row crosses a capsule; empty when it doesn't.
 * @param {Point} a @param {Point} b @param {number} radius @param {number} y @returns {[number, number]} */
export function section(a, b, radius, y) {
  let from = Infinity;
  let to = -Infinity;
  for (const end of [a, b]) {
    const square = radius * radius - (y - end.y) * (y - end.y);
    if (square < 0) continue;
    const half = Math.sqrt(square);
    from = Math.min(from, end.x - half);
    to = Math.max(to, end.x + half);
  }
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length = Math.sqrt(dx * dx + dy * dy);
  if (!length || !dy) return [from, to];
  for (let side = radius; ; side = -radius) {
    const t = (y - (a.y + (side * dx) / length)) / dy;
    const x = a.x - (side * dy) / length + t * dx;
    if (t >= 0 && t <= 1) [from, to] = [Math.min(from, x), Math.max(to, x)];
    if (side < 0) return [from, to];
  }
}

/** @typedef {(layers: Layers, from: number, to: number, y: number) => void} Row paints pixels of one row of one tile */

/** @param {Point} a @param {Point} b @param {Brush} brush @param {number} radius @returns {Row} */
function evenRow(a, b, { target, hardness, opacity }, radius) {
  const { inner, outer } = edges(radius, hardness);
  const alpha = Math.floor(255 * opacity * (a.opacity ?? 1) + 0.5);
  const levels = FALLOFF.map((level) => product(level, alpha));
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const square = dx * dx + dy * dy;
  const scale = STEPS / (outer - inner);
  const solid = inner * inner;
  const limit = outer * outer;
  const erases = target < 128;
  return ({ tile, base, plane }, from, to, y) => {
    const py = y + 0.5 - a.y;
    const qy = y + 0.5 - b.y;
    let at = ((y & 255) << 8) | (from & 255);
    for (let x = from; x < to; x++, at++) {
      if (plane[at] >= alpha) continue;
      const px = x + 0.5 - a.x;
      const along = px * dx + py * dy;
      let ex = px;
      let ey = py;
      if (along >= square) {
        ex = x + 0.5 - b.x;
        ey = qy;
      } else if (along > 0) {
        ex = px - (along / square) * dx;
        ey = py - (along / square) * dy;
      }
      const far = ex * ex + ey * ey;
      if (far >= limit) continue;
      const level = far <= solid ? alpha : levels[((Math.sqrt(far) - inner) * scale) | 0];
      if (level <= plane[at]) continue;
      plane[at] = level;
      const old = base[at];
      const wide = (erases ? old : 255 - old) * level + 128;
      const step = (wide + (wide >> 8)) >> 8;
      tile[at] = erases ? old - step : old + step;
    }
  };
}

/** Radius and opacity go evenly from one end to the other. @param {Point} a @param {Point} b @param {Brush} brush @returns {Row} */
function taperedRow(a, b, { target, size, hardness, opacity }) {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const square = dx * dx + dy * dy;
  const [sizeA, sizeB] = [a.size ?? 1, b.size ?? 1];
  const [alphaA, alphaB] = [a.opacity ?? 1, b.opacity ?? 1];
  return ({ tile, base, plane }, from, to, y) => {
    const py = y + 0.5 - a.y;
    for (let x = from, at = ((y & 255) << 8) | (from & 255); x < to; x++, at++) {
      const px = x + 0.5 - a.x;
      const t = square ? Math.max(0, Math.min(1, (px * dx + py * dy) / square)) : 1;
      const ex = t === 1 ? x + 0.5 - b.x : px - t * dx;
      const ey = t === 1 ? y + 0.5 - b.y : py - t * dy;
      const { inner, outer } = edges((size / 2) * (sizeA + (sizeB - sizeA) * t), hardness);
      const step = Math.max(0, ((Math.sqrt(ex * ex + ey * ey) - inner) / (outer - inner)) * STEPS) | 0;
      if (step >= STEPS) continue;
      const level = product(FALLOFF[step], Math.floor(255 * opacity * (alphaA + (alphaB - alphaA) * t) + 0.5));
      if (level <= plane[at]) continue;
      plane[at] = level;
      tile[at] = target < 128 ? base[at] - product(base[at], level) : base[at] + product(255 - base[at], level);
    }
  };
}
