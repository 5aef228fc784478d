/** A region of levels: grow, feather, and its use on the mask. */

import { clip } from "./mask.js";
import { blur } from "./blur.js";

/** @typedef {import("./polygon.js").Region} Region */
/** @typedef {"erase" | "restore" | "keep"} Mode */

export const MAX_FEATHER = 50;
export const MAX_GROW = 20;

/** Return the region grown (> 0) or shrunk by px, and feathered over px, inside a picture.
 * @param {Region} region @param {{grow: number, feather: number, width: number, height: number}} how */
export function shaped(region, { grow, feather, width, height }) {
  if (!grow && !feather) return region;
  const margin = Math.max(0, grow) + 2 * feather + 1;
  const wider = around(region, margin);
  /** @type {Uint8Array} */
  let bytes = placed(region, wider);
  if (grow) bytes = grown(bytes, wider.width, wider.height, grow);
  if (feather) bytes = blur(bytes, wider.width, wider.height, feather / 2);
  const rect = clip(wider, width, height);
  return { ...rect, bytes: placed({ ...wider, bytes }, rect) };
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
  const reach = Math.ceil(px);
  for (let dy = -reach; dy <= reach; dy++) {
    const half = Math.floor(Math.sqrt(Math.max(0, px * px - dy * dy)));
    const line = new Uint8Array(width);
    for (let y = Math.max(0, -dy); y < Math.min(height, height - dy); y++) {
      if (!widest(bytes.subarray(y * width, (y + 1) * width), line, half)) continue;
      const at = (y + dy) * width;
      for (let x = 0; x < width; x++) if (line[x] > out[at + x]) out[at + x] = line[x];
    }
  }
  return out;
}

/** Write each pixel's largest level within `half` columns; returns whether any is above 0.
 * @param {Uint8Array} row @param {Uint8Array} line @param {number} half */
function widest(row, line, half) {
  line.fill(0);
  let any = false;
  for (let x = 0; x < row.length; x++) {
    const level = row[x];
    if (!level) continue;
    any = true;
    // Inside a run of the same level only its ends can reach further.
    if (x && row[x - 1] === level && row[x + 1] === level) {
      if (line[x] < level) line[x] = level;
      continue;
    }
    const end = Math.min(row.length - 1, x + half);
    for (let i = Math.max(0, x - half); i <= end; i++) if (line[i] < level) line[i] = level;
  }
  return any;
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
