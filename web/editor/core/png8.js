/** Grey PNG files by the browser's own deflate: exact, without canvas or a limit of size. */

import { through } from "./streams.js";
import { SIGNATURE } from "./png_read.js";

export { decode } from "./png_levels.js";
export { decodeMask } from "./png_read.js";

const TABLE = Int32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});
/** @param {Uint8Array} bytes */
function crc(bytes) {
  let value = -1;
  for (let i = 0; i < bytes.length; i++) value = TABLE[(value ^ bytes[i]) & 255] ^ (value >>> 8);
  return ~value;
}

/** @param {string} name @param {Uint8Array} data */
function chunk(name, data) {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = name.charCodeAt(i);
  bytes.set(data, 8);
  view.setInt32(data.length + 8, crc(bytes.subarray(4, data.length + 8)));
  return bytes;
}

/** Return a PNG file of a mask. @param {import("./mask.js").Mask} mask @returns {Promise<Blob>} */
export function encode(mask) {
  return encodeRows(mask.width, mask.height, 1, (y, rows) => mask.read({ x: 0, y, width: mask.width, height: rows }));
}

/** Return a PNG file of 8 bits: grey for 1 sample a pixel, RGB for 3. @param {number} width @param {number} height
 * @param {number} samples @param {(y: number, rows: number) => Uint8Array | Uint8ClampedArray} read rows from y on */
export async function encodeRows(width, height, samples, read) {
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, samples === 1 ? 0 : 2, 0, 0, 0], 8);
  const data = await through(new CompressionStream("deflate"), filtered(width * samples, height, samples, read));
  const parts = [new Uint8Array(SIGNATURE), chunk("IHDR", head), chunk("IDAT", data), chunk("IEND", new Uint8Array())];
  return new Blob(parts, { type: "image/png" });
}

/** Yield strips of rows: without a filter for grey, with "sub" for colours.
 * @param {number} stride @param {number} height @param {number} samples
 * @param {(y: number, rows: number) => Uint8Array | Uint8ClampedArray} read */
function* filtered(stride, height, samples, read) {
  for (let y = 0; y < height; y += 256) {
    const rows = Math.min(256, height - y);
    const bytes = read(y, rows);
    const strip = new Uint8Array(rows * (stride + 1));
    for (let row = 0; row < rows; row++) {
      const to = row * (stride + 1) + 1;
      strip.set(bytes.subarray(row * stride, (row + 1) * stride), to);
      if (samples === 1) continue;
      strip[to - 1] = 1;
      for (let i = stride - 1; i >= samples; i--) strip[to + i] -= strip[to + i - samples];
    }
    yield strip;
  }
}
