/** Grey PNG files by the browser's own deflate: exact, without canvas, colour management or a limit of size. */

import { Mask } from "./mask.js";
import { through } from "./inflate.js";

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const TABLE = Int32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});
/** Samples of a pixel, by the colour type. @type {{[type: number]: number}} */
const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

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

/** Return a PNG file of a mask. @param {Mask} mask @returns {Promise<Blob>} */
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
