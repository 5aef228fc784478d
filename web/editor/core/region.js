/** A region of levels: grow, feather, and its use on the mask. */

import { clip, overlap } from "./mask.js";
import { blur } from "./blur.js";

/** @typedef {import("./polygon.js").Region} Region */
/** @typedef {"erase" | "restore" | "keep"} Mode */

/** Side of the squares in which a region is shaped. */
const SQUARE = 256;

/** Return the region grown (> 0) or shrunk by px, and feathered over px, inside a picture. Only squares that its edge
 * goes through take work. @param {Region} region @param {{grow: number, feather: number, width: number, height: number}} how */
export function shaped(region, { grow, feather, width, height }) {
  if (!grow && !feather) return region;
  const margin = Math.abs(grow) + 2 * feather + 1;
  const rect = clip(around(region, Math.max(0, grow) + 2 * feather + 1), width, height);
  const bytes = new Uint8Array(rect.width * rect.height);
  for (let y = rect.y; y < rect.y + rect.height; y += SQUARE)
    for (let x = rect.x; x < rect.x + rect.width; x += SQUARE) {
      const square = overlap({ x, y, width: SQUARE, height: SQUARE }, rect);
      // At the picture's edge the region goes on as it is there.
      const source = clip(around(square, margin), width, height);
      /** @type {Uint8Array} */
      let levels = placed(region, source);
      if (!isEven(levels)) {
        if (grow) levels = grown(levels, source.width, source.height, grow);
        if (feather) levels = blur(levels, source.width, source.height, feather / 2);
      }
      const inner = placed({ ...source, bytes: levels }, square);
      for (let row = 0; row < square.height; row++)
        bytes.set(inner.subarray(row * square.width, (row + 1) * square.width), (y - rect.y + row) * rect.width + x - rect.x);
    }
  return { ...rect, bytes };
}

/** Whether all levels are the same. @param {Uint8Array} levels */
function isEven(levels) {
  for (let i = 1; i < levels.length; i++) if (levels[i] !== levels[0]) return false;
  return true;
}

/** @param {import("./mask.js").Rect} rect @param {number} px @returns {import("./mask.js").Rect} */
export function around({ x, y, width, height }, px) {
  return { x: x - px, y: y - px, width: width + 2 * px, height: height + 2 * px };
}

/** Return a region's levels in another rectangle. @param {Region} region @param {import("./mask.js").Rect} rect */
export function placed(region, rect) {
  const bytes = new Uint8Array(rect.width * rect.height);
  const left = Math.max(rect.x, region.x);
  const right = Math.min(rect.x + rect.width, region.x + region.width);
  const bottom = Math.min(rect.y + rect.height, region.y + region.height);
  if (left >= right) return bytes;
  for (let y = Math.max(rect.y, region.y); y < bottom; y++) {
    const from = (y - region.y) * region.width + left - region.x;
    bytes.set(region.bytes.subarray(from, from + right - left), (y - rect.y) * rect.width + left - rect.x);
  }
  return bytes;
}

/** Return levels moved outwards by px (inwards where < 0): the largest level within that distance.
 * @param {Uint8Array} bytes @param {number} width @param {number} height @param {number} px -20..20 @returns {Uint8Array} */
export function grown(bytes, width, height, px) {
  if (px < 0) return grown(bytes.map(inverse), width, height, -px).map(inverse);
  const out = bytes.slice();
  for (let y = 0; y < height; y++) {
    const runs = runsOf(bytes, y * width, width);
    for (let dy = -Math.min(px, y); runs.length && dy <= Math.min(px, height - 1 - y); dy++) {
      const half = Math.floor(Math.sqrt(px * px - dy * dy));
      const at = (y + dy) * width;
      for (const { from, to, level } of runs) {
        const end = at + Math.min(width, to + half);
        const first = at + Math.max(0, from - half);
        if (level === 255) out.fill(255, first, end);
        else for (let i = first; i < end; i++) if (out[i] < level) out[i] = level;
      }
    }
  }
  return out;
}

/** Return the runs of equal levels of a row, without those of 0. @param {Uint8Array} bytes @param {number} at @param {number} width */
function runsOf(bytes, at, width) {
  const runs = [];
  for (let from = 0, to = 0; from < width; from = to) {
    const level = bytes[at + from];
    while (to < width && bytes[at + to] === level) to++;
    if (level) runs.push({ from, to, level });
  }
  return runs;
}

/** @param {number} level */
const inverse = (level) => 255 - level;

/** Return the mask's new levels: erased, restored, or kept only there. For "keep", `whole` is outside as well.
 * @param {Mode} mode @param {Uint8Array} old @param {Uint8Array} region */
export function combined(mode, old, region) {
  const out = new Uint8Array(old.length);
  for (let i = 0; i < old.length; i++) {
    const level = mode === "restore" ? Math.max(old[i], region[i]) : Math.min(old[i], mode === "erase" ? 255 - region[i] : region[i]);
    out[i] = level;
  }
  return out;
}

/** Change the mask by a region as one entry of the history.
 * @param {import("./mask.js").Mask} mask @param {import("./history.js").History} history
 * @param {Region} region @param {Mode} mode @param {string} tool */
export function applyRegion(mask, history, region, mode, tool) {
  const whole = { x: 0, y: 0, width: mask.width, height: mask.height };
  const rect = mode === "keep" ? whole : clip(region, mask.width, mask.height);
  const transaction = history.begin(tool);
  for (const n of mask.tilesIn(rect)) {
    const tile = mask.tileRect(n);
    transaction.touch(n);
    mask.write(tile, combined(mode, mask.read(tile), placed(region, tile)));
  }
  mask.changed(rect);
  return transaction.commit();
}
