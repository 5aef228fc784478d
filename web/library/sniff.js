// What a file is, by its first bytes, and how many pixels it has, as far as its header says. Pure.

/** @typedef {{kind: string, width?: number, height?: number}} Sniffed */

/** Bytes that are enough for the size of nearly every JPEG: its size stands behind its metadata. */
export const HEAD_BYTES = 65536;
const HEIF_BRANDS = /heic|heix|hevc|heim|heis|mif1|msf1/;

/** @param {ArrayBuffer} head @returns {Sniffed} */
export function sniff(head) {
  const view = new DataView(head);
  const text = String.fromCharCode(...new Uint8Array(head, 0, Math.min(32, head.byteLength)));
  if (head.byteLength < 12) return { kind: head.byteLength ? "other" : "empty" };
  if (text.startsWith("\xff\xd8\xff")) return { kind: "jpeg", ...jpegSize(view) };
  if (text.startsWith("\x89PNG\r\n")) return head.byteLength < 24 ? { kind: "png" } : { kind: "png", width: view.getUint32(16), height: view.getUint32(20) };
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return { kind: "webp", ...webpSize(view, text.slice(12, 16)) };
  if (text.startsWith("GIF8")) return { kind: "gif", width: view.getUint16(6, true), height: view.getUint16(8, true) };
  if (text.startsWith("BM")) return head.byteLength < 26 ? { kind: "bmp" } : { kind: "bmp", width: view.getInt32(18, true), height: Math.abs(view.getInt32(22, true)) };
  if (text.startsWith("II*\0") || text.startsWith("MM\0*")) return { kind: "tiff" };
  if (text.startsWith("PK\x03\x04") || text.startsWith("PK\x05\x06")) return { kind: "zip" };
  if (text.slice(4, 8) === "ftyp") return { kind: /avi[fs]/.test(text) ? "avif" : HEIF_BRANDS.test(text) ? "heic" : "other" };
  return { kind: "other" };
}

/** @param {DataView} view @returns {{width?: number, height?: number}} */
function jpegSize(view) {
  let at = 2;
  while (at + 9 < view.byteLength) {
    if (view.getUint8(at) !== 0xff) return {};
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return {};
}

/** @param {DataView} view @param {string} chunk @returns {{width?: number, height?: number}} */
function webpSize(view, chunk) {
  if (view.byteLength < 30) return {};
  if (chunk === "VP8X") return { width: 1 + uint24(view, 24), height: 1 + uint24(view, 27) };
  if (chunk === "VP8 ") return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  if (chunk !== "VP8L") return {};
  const bits = view.getUint32(21, true);
  return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >> 14) & 0x3fff) };
}

/** @param {DataView} view @param {number} at */
function uint24(view, at) {
  return view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
}
