/** The grey levels of PNG files of any kind; masks as the server makes them do without it. */

import { SAMPLES, filtered } from "./png_read.js";

/** Return the grey levels of a PNG file, row-major; of colours, the luminance. Throws for anything else.
 * @param {Blob} blob @returns {Promise<{width: number, height: number, bytes: Uint8Array}>} */
export async function decode(blob) {
  const read = await filtered(blob);
  return { width: read.width, height: read.height, bytes: levels(read) };
}

/** Of colours, the luminance; undoes the filters in place. @param {Awaited<ReturnType<typeof filtered>>} file */
export function levels({ width, height, depth, type, palette, stride, raw }) {
  const bits = depth * SAMPLES[type];
  for (let y = 0; y < height; y++) unfilter(raw, y * (stride + 1), stride, y > 0, Math.max(1, bits >> 3));
  const bytes = new Uint8Array(width * height);
  const read = sampler(depth, type, palette);
  for (let y = 0; y < height; y++) {
    const row = raw.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1));
    for (let x = 0; x < width; x++) bytes[y * width + x] = read(row, x);
  }
  return bytes;
}

/** Undo a row's filter in place: a loop for each, since a mask has millions of bytes. @param {Uint8Array} raw @param {number} start of the row
 * @param {number} stride @param {boolean} below whether there is a row above @param {number} step bytes to the sample on the left */
function unfilter(raw, start, stride, below, step) {
  const filter = raw[start];
  const [first, end] = [start + 1, start + 1 + stride];
  const up = stride + 1;
  if (filter === 1) for (let at = first + step; at < end; at++) raw[at] += raw[at - step];
  else if (filter === 2) for (let at = first; below && at < end; at++) raw[at] += raw[at - up];
  else if (filter > 2) {
    for (let at = first; at < end; at++) {
      const left = at >= first + step ? raw[at - step] : 0;
      const above = below ? raw[at - up] : 0;
      const corner = below && at >= first + step ? raw[at - up - step] : 0;
      raw[at] += filter === 3 ? (left + above) >> 1 : paeth(left, above, corner);
    }
  }
}

/** @param {number} left @param {number} above @param {number} corner */
function paeth(left, above, corner) {
  const a = Math.abs(above - corner);
  const b = Math.abs(left - corner);
  const c = Math.abs(left + above - 2 * corner);
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

/** @param {number} depth @param {number} type @param {Uint8Array} palette
 * @returns {(row: Uint8Array, x: number) => number} */
function sampler(depth, type, palette) {
  const wide = depth === 16 ? 2 : 1;
  const step = SAMPLES[type] * wide;
  /** @param {number} r @param {number} g @param {number} b */
  const grey = (r, g, b) => (r === g && g === b ? r : Math.round(0.299 * r + 0.587 * g + 0.114 * b));
  if (type === 2 || type === 6) return (row, x) => grey(row[x * step], row[x * step + wide], row[x * step + 2 * wide]);
  if (depth >= 8 && type !== 3) return (row, x) => row[x * step];
  const most = (1 << depth) - 1;
  return (row, x) => {
    const value = (row[(x * depth) >> 3] >> (8 - depth - ((x * depth) & 7))) & most;
    return type === 3 ? grey(palette[value * 3], palette[value * 3 + 1], palette[value * 3 + 2]) : (value * 255) / most;
  };
}
