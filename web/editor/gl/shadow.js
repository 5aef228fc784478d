/** Shadows as the server casts them (`services/imaging/shadow.py`): made small, in shares of the subject's height. */

import { DROP_BLUR, DROP_DOWN, FEET, WIDE, measureOf, shadowArea } from "./layout.js";

/** @typedef {import("./small.js").Rect} Rect */
/** @typedef {import("./small.js").SmallMask} SmallMask */
/** @typedef {{bytes: Uint8Array, width: number, height: number, area: Rect}} SoftShadow darkness 0 to 255 of an area */

const WORK_HEIGHT = 256;
const WORK_PIXELS = 1 << 20;
const WORK_SIDE = 16384;
const NEAR = 0.2;
const LINE = [0.014, 0.01];
const WIDE_SHARE = 0.7;

/**
 * The shadow of the subject in this box; null without one.
 * @param {SmallMask} small
 * @param {Rect | null} subject
 * @param {string} kind
 * @param {number} opacity in per cent
 * @returns {SoftShadow | null}
 */
export function castShadow(small, subject, kind, opacity) {
  if (!subject || !opacity || (kind !== "drop" && kind !== "contact")) return null;
  const measure = measureOf(subject);
  const area = shadowArea(subject, kind);
  const step = Math.max(
    1,
    measure / WORK_HEIGHT,
    Math.sqrt((area.width * area.height) / WORK_PIXELS),
    Math.max(area.width, area.height) / WORK_SIDE,
  );
  const width = Math.max(1, Math.round(area.width / step));
  const height = Math.max(1, Math.round(area.height / step));
  const down = kind === "drop" ? Math.round(DROP_DOWN * measure) : 0;
  const alpha = shrunk(small, {...area, y: area.y - down}, width, height);
  const shape = kind === "drop" ? drop(alpha, width, height, measure / step) : contact(alpha, width, height, measure / step);
  const bytes = Uint8Array.from(shape, (share) => Math.round((share * 255 * opacity) / 100));
  return {bytes, width, height, area};
}

/** Shares of coverage of an area of the mask, 0 to 1; nothing is beyond its edges. @param {SmallMask} small @param {Rect} area @param {number} width @param {number} height */
function shrunk(small, area, width, height) {
  const columns = spans(area.x / small.step, area.width / small.step, width, small.width);
  const rows = spans(area.y / small.step, area.height / small.step, height, small.height);
  const out = new Float32Array(width * height);
  const line = new Float32Array(small.width);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    for (const [row, share] of rows[y]) {
      const start = row * small.width;
      for (let x = 0; x < small.width; x++) line[x] += share * small.bytes[start + x];
    }
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (const [column, share] of columns[x]) sum += share * line[column];
      out[y * width + x] = sum / 255;
    }
  }
  return out;
}

/**
 * For each of `count` equal parts of a length: which cells it covers, with their shares of the part.
 * @param {number} start
 * @param {number} length
 * @param {number} count
 * @param {number} cells
 * @returns {[number, number][][]}
 */
function spans(start, length, count, cells) {
  const part = length / count;
  return Array.from({length: count}, (_, n) => {
    const from = start + n * part;
    /** @type {[number, number][]} */
    const found = [];
    for (let cell = Math.max(0, Math.floor(from)); cell < Math.min(cells, from + part); cell++) {
      const share = (Math.min(cell + 1, from + part) - Math.max(cell, from)) / part;
      if (share > 0) found.push([cell, share]);
    }
    return found;
  });
}

/** @param {Float32Array} alpha @param {number} width @param {number} height @param {number} measure */
function drop(alpha, width, height, measure) {
  return blur(alpha, width, height, DROP_BLUR * measure, DROP_BLUR * measure);
}

/** Darken the lowest point of each column, less the higher it hangs above the ground. @param {Float32Array} alpha @param {number} width @param {number} height @param {number} measure */
function contact(alpha, width, height, measure) {
  const lowest = new Int32Array(width).fill(-1);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) if (alpha[y * width + x] > 0.5) lowest[x] = y;
  }
  const ground = lowest.reduce((most, y) => Math.max(most, y), -1);
  const feet = new Float32Array(width * height);
  if (ground < 0) return feet;
  for (let x = 0; x < width; x++) {
    if (lowest[x] < 0) continue;
    const nearness = Math.min(1, Math.max(0, 1 - (ground - lowest[x]) / (NEAR * measure))) ** 2;
    for (let y = 0; y < height; y++) {
      feet[y * width + x] = Math.min(1, Math.max(0, FEET * measure - Math.abs(y - lowest[x]))) * nearness;
    }
  }
  const line = blur(feet, width, height, LINE[0] * measure, LINE[1] * measure);
  const wide = blur(feet, width, height, WIDE[0] * measure, WIDE[1] * measure);
  const most = Math.max(peak(line), 1e-6);
  const mostWide = Math.max(peak(wide), 1e-6);
  return line.map((share, n) => Math.max(share / most, (WIDE_SHARE * wide[n]) / mostWide));
}

/** @param {Float32Array} picture */
function peak(picture) {
  return picture.reduce((most, share) => Math.max(most, share), 0);
}

/**
 * Blur with a Gaussian; nothing is beyond the edges.
 * @param {Float32Array} picture
 * @param {number} width
 * @param {number} height
 * @param {number} across sigma, in px
 * @param {number} down sigma, in px
 */
export function blur(picture, width, height, across, down) {
  const rows = new Float32Array(picture.length);
  const kernel = gaussian(Math.max(across, 0.1));
  const reach = (kernel.length - 1) / 2;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = Math.max(-reach, -x), last = Math.min(reach, width - 1 - x); k <= last; k++) {
        sum += kernel[k + reach] * picture[y * width + x + k];
      }
      rows[y * width + x] = sum;
    }
  }
  const upright = gaussian(Math.max(down, 0.1));
  const far = (upright.length - 1) / 2;
  const out = new Float32Array(picture.length);
  for (let y = 0; y < height; y++) {
    for (let k = Math.max(-far, -y), last = Math.min(far, height - 1 - y); k <= last; k++) {
      const weight = upright[k + far];
      for (let x = 0; x < width; x++) out[y * width + x] += weight * rows[(y + k) * width + x];
    }
  }
  return out;
}

/** @param {number} sigma */
function gaussian(sigma) {
  const reach = Math.max(1, Math.round(4 * sigma));
  const kernel = Float32Array.from({length: 2 * reach + 1}, (_, n) => Math.exp(-((n - reach) ** 2) / (2 * sigma * sigma)));
  const sum = kernel.reduce((total, weight) => total + weight, 0);
  return kernel.map((weight) => weight / sum);
}
