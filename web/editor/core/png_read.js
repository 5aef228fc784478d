/** Reads grey PNG files by the browser's own inflate: exact, without canvas, colour management or a limit of size. */

import { Mask } from "./mask.js";
import { through } from "./inflate.js";

export const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
/** Samples of a pixel, by the colour type. @type {{[type: number]: number}} */
const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Return the grey levels of a PNG file, row-major; of colours, the luminance. Throws for anything else.
 * @param {Blob} blob @returns {Promise<{width: number, height: number, bytes: Uint8Array}>} */
export async function decode(blob) {
  const file = new Uint8Array(await blob.arrayBuffer());
  const { width, height, depth, type, palette, data } = parse(file);
  const bits = depth * SAMPLES[type];
  const stride = Math.ceil((width * bits) / 8);
  const raw = await through(new DecompressionStream("deflate"), data);
  if (raw.length < height * (stride + 1)) throw new Error("The PNG file ends early.");
  unfilter(raw, height, stride, Math.max(1, bits >> 3));
  if (type === 0 && depth === 8) return { width, height, bytes: packed(raw, width, height) };
  const bytes = new Uint8Array(width * height);
  const read = sampler(depth, type, palette);
  for (let y = 0; y < height; y++) {
    const row = raw.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1));
    for (let x = 0; x < width; x++) bytes[y * width + x] = read(row, x);
  }
  return { width, height, bytes };
}

/** @param {Uint8Array} file */
function parse(file) {
  const view = new DataView(file.buffer);
  if (file.length < 33 || SIGNATURE.some((byte, i) => file[i] !== byte)) throw new Error("This is no PNG file.");
  const [depth, type, , , interlaced] = file.subarray(24, 29);
  if (!(type in SAMPLES) || interlaced) throw new Error("This kind of PNG file cannot be read.");
  const data = [];
  /** @type {Uint8Array} */
  let palette = new Uint8Array();
  for (let at = 8; at + 12 <= file.length; ) {
    const size = view.getUint32(at);
    const name = view.getUint32(at + 4);
    if (at + 12 + size > file.length) throw new Error("The PNG file ends early.");
    if (name === 0x49444154) data.push(file.subarray(at + 8, at + 8 + size));
    if (name === 0x504c5445) palette = file.subarray(at + 8, at + 8 + size);
    at += size + 12;
  }
  return { width: view.getUint32(16), height: view.getUint32(20), depth, type, palette, data };
}

/** Undo the rows" filters in place. @param {Uint8Array} raw @param {number} height @param {number} stride
 * @param {number} step bytes to the sample on the left */
function unfilter(raw, height, stride, step) {
  for (let y = 0; y < height; y++) {
    const at = y * (stride + 1) + 1;
    const filter = raw[at - 1];
    const up = y ? stride + 1 : 0;
    for (let i = 0; filter && i < stride; i++) {
      const left = i >= step ? raw[at + i - step] : 0;
      const above = up ? raw[at + i - up] : 0;
      const corner = up && i >= step ? raw[at + i - up - step] : 0;
      raw[at + i] += filter === 1 ? left : filter === 2 ? above : filter === 3 ? (left + above) >> 1 : paeth(left, above, corner);
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

/** Return the rows without their filter bytes, moved in place. @param {Uint8Array} raw @param {number} width @param {number} height */
function packed(raw, width, height) {
  for (let y = 0; y < height; y++) raw.copyWithin(y * width, y * (width + 1) + 1, (y + 1) * (width + 1));
  return raw.slice(0, width * height);
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

/** Return the mask of a PNG file. @param {Blob} blob */
export async function decodeMask(blob) {
  const { width, height, bytes } = await decode(blob);
  return Mask.fromBytes(width, height, bytes);
}
