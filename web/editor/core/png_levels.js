/** The grey levels of PNG files of any kind; masks as the server makes them do without it. */

import { SAMPLES, rows } from "./png_read.js";

/** Return the grey levels of a PNG file, row-major; of colours, the luminance. Throws for anything else.
 * @param {Blob} blob @returns {Promise<{width: number, height: number, bytes: Uint8Array}>} */
export async function decode(blob) {
  const read = await rows(blob);
  return { width: read.width, height: read.height, bytes: levels(read) };
}

/** Of colours, the luminance. @param {Awaited<ReturnType<typeof rows>>} read */
export function levels({ width, height, depth, type, palette, stride, raw }) {
  const bytes = new Uint8Array(width * height);
  const read = sampler(depth, type, palette);
  for (let y = 0; y < height; y++) {
    const row = raw.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1));
    for (let x = 0; x < width; x++) bytes[y * width + x] = read(row, x);
  }
  return bytes;
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
