/** Reads grey PNG files by the browser's own inflate: exact, without canvas, colour management or a limit of size. */

import { Mask } from "./mask.js";
import { through } from "./streams.js";

export const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
/** Samples of a pixel, by the colour type. @type {{[type: number]: number}} */
export const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Return the rows, each after its filter's byte. @param {Blob} blob */
export async function rows(blob) {
  const { data, ...head } = parse(new Uint8Array(await blob.arrayBuffer()));
  const bits = head.depth * SAMPLES[head.type];
  const stride = Math.ceil((head.width * bits) / 8);
  const raw = await through(new DecompressionStream("deflate"), data);
  if (raw.length < head.height * (stride + 1)) throw new Error("The PNG file ends early.");
  for (let y = 0; y < head.height; y++) unfilter(raw, y * (stride + 1), stride, y > 0, Math.max(1, bits >> 3));
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

/** Return the mask of a PNG file. @param {Blob} blob */
export async function decodeMask(blob) {
  const read = await rows(blob);
  const { width, height, raw } = read;
  // As the server makes them: from the rows straight into tiles.
  if (read.type === 0 && read.depth === 8) return Mask.fromBytes(width, height, raw, { start: 1, stride: width + 1 });
  const { levels } = await import("./png_levels.js");
  return Mask.fromBytes(width, height, levels(read));
}
