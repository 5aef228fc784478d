/** Reads grey PNG files by the browser's own inflate: exact, without canvas, colour management or a limit of size. */

import { Mask } from "./mask.js";
import { fill } from "./streams.js";

export const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
/** Samples of a pixel, by the colour type. @type {{[type: number]: number}} */
export const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** Filters of rows. */
const [NONE, UP] = [0, 2];
/** All bits of four bytes but the highest of each. */
const LOW = 0x7f7f7f7f;

/** Return the rows as they are filtered, each after its filter's byte. @param {Blob} blob */
export async function filtered(blob) {
  const { data, ...head } = parse(new Uint8Array(await blob.arrayBuffer()));
  const stride = Math.ceil((head.width * head.depth * SAMPLES[head.type]) / 8);
  const raw = new Uint8Array(head.height * (stride + 1));
  if ((await fill(raw, new DecompressionStream("deflate"), data)) < raw.length) throw new Error("The PNG file ends early.");
  return { ...head, stride, raw };
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

/** Return the mask of a PNG file. @param {Blob} blob */
export async function decodeMask(blob) {
  const read = await filtered(blob);
  const { width, height, type, depth, stride, raw } = read;
  let fast = type === 0 && depth === 8;
  for (let at = 0; fast && at < raw.length; at += stride + 1) fast = raw[at] === NONE || raw[at] === UP;
  if (fast) return tiled(width, height, raw);
  const { levels } = await import("./png_levels.js");
  return Mask.fromBytes(width, height, levels(read));
}

/** The mask of rows that have no filter, or the difference from the row above, as the server makes them: four levels at a time, straight into tiles.
 * @param {number} width @param {number} height @param {Uint8Array} raw */
function tiled(width, height, raw) {
  const mask = new Mask(width, height, 0);
  const tiles = mask.tiles.map((tile) => new Uint32Array(tile.buffer));
  const row = new Uint8Array(4 * Math.ceil(width / 4));
  const words = new Uint32Array(row.buffer);
  const above = new Uint32Array(words.length);
  for (let y = 0, start = 0; y < height; y++, start += width + 1) {
    row.set(raw.subarray(start + 1, start + 1 + width));
    if (raw[start] === NONE) above.fill(0);
    for (let x = 0; x < words.length; ) {
      const tile = tiles[(y >> 8) * mask.columns + (x >> 6)];
      const end = Math.min(words.length, x + 64);
      for (let to = (y & 255) << 6; x < end; x++, to++) {
        const level = above[x];
        const more = words[x];
        // Four sums of bytes, of which none reaches the next byte.
        tile[to] = above[x] = more ? ((level & LOW) + (more & LOW)) ^ ((level ^ more) & ~LOW) : level;
      }
    }
  }
  return mask;
}
