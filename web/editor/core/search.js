/** What is found in the photo's colours: areas of one colour, and edges. */

import { edgeOf } from "./edge.js";
import { flood, emptyPlanes, oklab } from "./flood.js";
import { guidedFilter } from "./guided.js";
import { clip } from "./mask.js";
import { coloursOf, pixels } from "./pixels.js";
import { around, placed } from "./region.js";

/** @typedef {import("./polygon.js").Region} Region */

/** Colours are compared on at most this many px. */
const PLANE_PIXELS = 8e6;
/** A region's edge is refined on at most this many px, counted by squares of EDGE. */
const REFINED_PIXELS = 1.5e6;
const EDGE = 64;
const RADIUS = 4;

/** @typedef {import("./pixels.js").Photo} Photo */

/** @type {Photo | null} */
let photo = null;
/** @type {import("./flood.js").Planes | null} */
let planes = null;
/** @type {Uint8Array | null} */
let found = null;

/** Keep the photo for the wand. @param {ImageBitmap} bitmap @param {number} width of the mask @param {number} height */
export function open(bitmap, width, height) {
  photo = { bitmap, width, height };
  planes = null;
}

/** Read the photo's colours before the wand is used. */
export function prepare() {
  if (photo) planes ??= planesOf(photo);
}

/** Return the pixels of a similar colour around a point of the mask. `draft`: without a refined edge.
 * @param {number} x @param {number} y @param {{tolerance: number, contiguous: boolean, draft: boolean}} how @returns {Region | null} */
export function wand(x, y, how) {
  if (!photo) return null;
  planes ??= planesOf(photo);
  const scale = planes.width / photo.width;
  const [px, py] = [Math.min(planes.width - 1, Math.floor(x * scale)), Math.min(planes.height - 1, Math.floor(y * scale))];
  found = flood(planes, px, py, how);
  return enlarged({ width: planes.width, height: planes.height, bytes: found }, photo, how.draft);
}

/** Return a small mask of the photo as a region of its full size. @param {import("./whole.js").Plane} small @returns {Region | null} */
export function enlarge(small) {
  return photo && enlarged(small, photo, false);
}

/** Return how the photo's colours move the levels around a stroke; null without a photo.
 * @param {import("./edge.js").Hint} hint @param {import("./edge.js").Grid} grid @param {Uint8Array} old */
export function edge(hint, grid, old) {
  return photo && edgeOf(hint, grid, old, coloursOf(photo, grid.rect, grid));
}

/** Read a photo's colours in strips. @param {Photo} photo */
function planesOf({ bitmap }) {
  const scale = Math.min(1, Math.sqrt(PLANE_PIXELS / (bitmap.width * bitmap.height)));
  const [width, height] = [Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale))];
  const all = emptyPlanes(width, height);
  for (let y = 0; y < height; y += 512) {
    const rows = Math.min(512, height - y);
    const part = { x: 0, y: (y * bitmap.height) / height, width: bitmap.width, height: (rows * bitmap.height) / height };
    oklab(pixels(bitmap, part, width, rows), width, rows, all, y);
  }
  return all;
}

/** @param {import("./whole.js").Plane} small @param {Photo} photo @param {boolean} draft @returns {Region} */
function enlarged(small, photo, draft) {
  const scale = photo.width / small.width;
  const box = boundsOf(small);
  const rect = clip({ x: (box.x - 1) * scale, y: (box.y - 1) * scale, width: (box.width + 2) * scale, height: (box.height + 2) * scale }, photo.width, photo.height);
  const region = { ...rect, bytes: stretched(small, rect, scale) };
  if (!draft) refineEdge(region, photo);
  return region;
}

/** @param {import("./whole.js").Plane} plane */
function boundsOf({ width, height, bytes }) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    const row = bytes.subarray(y * width, (y + 1) * width);
    const first = row.findIndex((level) => level > 0);
    if (first < 0) continue;
    left = Math.min(left, first);
    top = Math.min(top, y);
    bottom = y + 1;
    for (let x = width; x > right; x--) if (row[x - 1]) right = x;
  }
  return { x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) };
}

/** Return the levels of a rectangle of the enlarged plane, between pixels by bilinear weights.
 * @param {import("./whole.js").Plane} plane @param {import("./mask.js").Rect} rect @param {number} scale */
function stretched({ width, height, bytes }, rect, scale) {
  const out = new Uint8Array(rect.width * rect.height);
  const at = (/** @type {number} */ x, /** @type {number} */ most) => Math.max(0, Math.min(most - 1, (x + 0.5) / scale - 0.5));
  for (let y = 0, i = 0; y < rect.height; y++) {
    const v = at(y + rect.y, height);
    const top = Math.floor(v) * width;
    const bottom = Math.min(height - 1, Math.floor(v) + 1) * width;
    for (let x = 0; x < rect.width; x++, i++) {
      const u = at(x + rect.x, width);
      const left = Math.floor(u);
      const right = Math.min(width - 1, left + 1);
      const [a, b, c, d] = [bytes[top + left], bytes[top + right], bytes[bottom + left], bytes[bottom + right]];
      if (a === b && a === c && a === d) {
        out[i] = a;
        continue;
      }
      const upper = a + (b - a) * (u - left);
      out[i] = upper + (c + (d - c) * (u - left) - upper) * (v - Math.floor(v)) + 0.5;
    }
  }
  return out;
}

/** Let a region's edge follow the photo's colours, square by square, while the budget lasts.
 * @param {Region} region @param {Photo} photo */
function refineEdge(region, photo) {
  const old = region.bytes.slice();
  let left = REFINED_PIXELS;
  for (let y = 0; y < region.height && left > 0; y += EDGE)
    for (let x = 0; x < region.width && left > 0; x += EDGE) {
      const part = { x, y, width: Math.min(EDGE, region.width - x), height: Math.min(EDGE, region.height - y) };
      if (!hasEdge(old, region.width, part)) continue;
      refineSquare(region, old, part, photo);
      left -= EDGE * EDGE;
    }
}

/** @param {Uint8Array} bytes @param {number} stride @param {import("./mask.js").Rect} part */
function hasEdge(bytes, stride, { x, y, width, height }) {
  const first = bytes[y * stride + x];
  for (let row = y; row < y + height; row++)
    for (let i = row * stride + x; i < row * stride + x + width; i++) if (bytes[i] !== first) return true;
  return false;
}

/** @param {Region} region @param {Uint8Array} old @param {import("./mask.js").Rect} part @param {Photo} photo */
function refineSquare(region, old, part, photo) {
  const wide = clip(around(part, 2 * RADIUS), region.width, region.height);
  const rgb = coloursOf(photo, { ...wide, x: wide.x + region.x, y: wide.y + region.y }, wide);
  const levels = placed({ ...region, x: 0, y: 0, bytes: old }, wide);
  const guided = guidedFilter({ rgb, width: wide.width, height: wide.height }, levels, null, { radius: RADIUS, epsilon: 1e-3 });
  const bytes = placed({ ...wide, bytes: guided }, part);
  for (let row = 0; row < part.height; row++) {
    region.bytes.set(bytes.subarray(row * part.width, (row + 1) * part.width), (part.y + row) * region.width + part.x);
  }
}
