/** Operations on the whole mask: row-major bytes in, bytes out. */

import { blur } from "./blur.js";

/** @typedef {{width: number, height: number, bytes: Uint8Array}} Plane */

/** @param {Plane} plane */
export function invert({ bytes }) {
  return bytes.map((level) => 255 - level);
}

/** Return the levels with holes (erased parts inside the kept) of fewer than `most` px filled. @param {Plane} plane @param {number} most */
export function fillHoles({ width, height, bytes }, most) {
  const small = components({ width, height, bytes }, (level) => level < 128, most, true);
  return bytes.map((level, i) => (small[i] ? 255 : level));
}

/** Return the levels without kept parts of fewer than `most` px. @param {Plane} plane @param {number} most */
export function dropSpecks({ width, height, bytes }, most) {
  const small = components({ width, height, bytes }, (level) => level >= 128, most, false);
  const near = rim(small, width, height);
  return bytes.map((level, i) => (small[i] || (near[i] && level < 128) ? 0 : level));
}

/** Return the levels pushed away from the middle. @param {Plane} plane @param {number} amount 0..100: 100 leaves 0 and 255 */
export function contrast({ bytes }, amount) {
  const slope = 1 / Math.max(1e-3, 1 - amount / 100);
  const table = Uint8Array.from({ length: 256 }, (_, i) => Math.max(0, Math.min(255, Math.round((i - 127.5) * slope + 127.5))));
  return bytes.map((level) => table[level]);
}

/** @param {Plane} plane @param {number} px */
export function feather({ width, height, bytes }, px) {
  return px > 0 ? blur(bytes, width, height, px / 2) : bytes.slice();
}

/** Return 1 in each connected part (4 neighbours) of fewer than `most` px. @param {Plane} plane
 * @param {(level: number) => boolean} inside @param {number} most @param {boolean} enclosed only parts off the picture's edge */
function components({ width, height, bytes }, inside, most, enclosed) {
  const runs = findRuns(bytes, width, height, inside);
  const { from, to, row, count, parent } = runs;
  const root = rootIn(parent);
  const size = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    const edge = enclosed && (row[n] === 0 || row[n] === height - 1 || from[n] === 0 || to[n] === width);
    size[root(n)] += edge ? Infinity : to[n] - from[n];
  }
  const found = new Uint8Array(width * height);
  for (let n = 0; n < count; n++) if (size[root(n)] < most) found.fill(1, row[n] * width + from[n], row[n] * width + to[n]);
  return found;
}

/** Return the runs of every row, those that touch joined to one root. @param {Uint8Array} bytes @param {number} width
 * @param {number} height @param {(level: number) => boolean} inside */
function findRuns(bytes, width, height, inside) {
  /** @type {number[]} */ const from = [];
  /** @type {number[]} */ const to = [];
  /** @type {number[]} */ const row = [];
  /** @type {number[]} */ const parent = [];
  const root = rootIn(parent);
  const table = Uint8Array.from({ length: 256 }, (_, level) => (inside(level) ? 1 : 0));
  let above = 0;
  for (let y = 0; y < height; y++) {
    const first = from.length;
    let at = above;
    for (let x = 0; x < width; x++) {
      if (!table[bytes[y * width + x]]) continue;
      const start = x;
      while (x < width && table[bytes[y * width + x]]) x++;
      const n = from.push(start) - 1;
      to.push(x);
      row.push(y);
      parent.push(n);
      while (at < first && to[at] <= start) at++;
      for (let i = at; i < first && from[i] < x; i++) parent[root(i)] = root(n);
    }
    above = first;
  }
  return { from, to, row, parent, count: from.length };
}

/** @param {number[]} parent @returns {(n: number) => number} */
function rootIn(parent) {
  return (n) => {
    while (parent[n] !== n) n = parent[n] = parent[parent[n]];
    return n;
  };
}

/** Return 1 beside marked pixels, up to two away: the soft edge of a speck. @param {Uint8Array} marks @param {number} width @param {number} height */
function rim(marks, width, height) {
  const out = new Uint8Array(marks.length);
  for (let i = 0; i < marks.length; i++) {
    if (!marks[i]) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    for (let j = Math.max(0, y - 2); j <= Math.min(height - 1, y + 2); j++)
      out.fill(1, j * width + Math.max(0, x - 2), j * width + Math.min(width, x + 3));
  }
  return out;
}
