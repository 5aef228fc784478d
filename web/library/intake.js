// What the files are, by their first bytes: photos with their sizes and errors, ZIP files of photos, others.
import { part } from "../app/connection.js";
import { ownError } from "./pace.js";

/**
 * @typedef {{file: File, path: string}} Found a file and the folder it is in ("" or "a/b/")
 * @typedef {{name: string, path: string, blob: Blob, type: string, modified: number, width?: number, height?: number, error?: import("../app/store.js").DocError}} Photo
 * @typedef {{photos: Photo[], others: string[], twice: number}} Intake
 * @typedef {import("../app/api.js").StudioFacts} Facts
 * @typedef {{kind: string, width?: number, height?: number}} Sniffed
 */

const AT_ONCE = 8;
/** Bytes that are enough for the size of nearly every JPEG: its size stands behind its metadata. */
const HEAD_BYTES = 65536;
export const PHOTO_NAME = /\.(jpe?g|png|webp|heic|heif|avif|tiff?|bmp|gif)$/i;
const HEIF_BRANDS = /heic|heix|hevc|heim|heis|mif1|msf1/;
const TYPES = /** @type {{[kind: string]: string}} */ ({ jpeg: "image/jpeg", png: "image/png", webp: "image/webp", gif: "image/gif", bmp: "image/bmp", tiff: "image/tiff", avif: "image/avif", heic: "image/heic" });

/** The files, with those in folders. @param {import("./drop.js").Dropped[]} items @returns {Promise<Found[]>} */
export async function filesIn(items) {
  const found = items.flatMap((item) => (item instanceof File && !item.webkitRelativePath ? [{ file: item, path: "" }] : []));
  return found.length === items.length ? found : (await part(() => import("./folders.js"))).filesOfFolders(items);
}

/** What identifies a photo that is dropped again. @param {{path: string, name: string, bytes?: number, modified?: number}} photo @param {number} [bytes] */
export function identity({ path, name, modified }, bytes) {
  return `${path}${name}\n${bytes}\n${modified}`;
}

/** Look into each file: photos with their errors, what is no photo, what is here already. @param {Found[]} found @param {Facts} facts @param {Set<string>} known @returns {Promise<Intake>} */
export async function examine(found, facts, known) {
  /** @type {Intake} */
  const intake = { photos: [], others: [], twice: 0 };
  for (let at = 0; at < found.length; at += AT_ONCE) {
    const looked = await Promise.all(found.slice(at, at + AT_ONCE).map((one) => look(one, facts)));
    for (const one of looked) take(one, intake, known);
  }
  return intake;
}

/** @param {Photo[]|string} looked @param {Intake} intake @param {Set<string>} known */
function take(looked, intake, known) {
  if (typeof looked === "string") intake.others.push(looked);
  else {
    for (const photo of looked) {
      const key = identity(photo, photo.blob.size);
      if (known.has(key)) intake.twice += 1;
      else intake.photos.push(photo);
      known.add(key);
    }
  }
}

/** The photos in a file; its name where it is none. @param {Found} found @param {Facts} facts @returns {Promise<Photo[]|string>} */
async function look({ file, path }, facts) {
  try {
    const { kind, ...size } = sniff(await file.slice(0, HEAD_BYTES).arrayBuffer());
    if (kind === "zip") return await unpacked(file, path, facts);
    const looksLikePhoto = kind !== "other" && kind !== "empty";
    if (!looksLikePhoto && !file.type.startsWith("image/") && !PHOTO_NAME.test(file.name)) return file.name;
    const photo = { name: file.name, path, blob: file, type: TYPES[kind] ?? file.type, modified: file.lastModified, ...size };
    return [{ ...photo, error: kind === "empty" ? ownError("empty_image") : kind === "other" ? ownError("unsupported_format") : reason(photo, facts) }];
  } catch {
    return [{ name: file.name, path, blob: file, type: file.type, modified: file.lastModified, error: ownError("unreadable_file") }];
  }
}

/** @param {File} file @param {string} path @param {Facts} facts */
async function unpacked(file, path, facts) {
  const { unzipPhotos } = await part(() => import("./archive.js"));
  const photos = await unzipPhotos(file, facts.limits.bytes);
  return photos.length ? photos.map((photo) => ({ ...photo, path: path + photo.path, error: reason(photo, facts) })) : file.name;
}

/** Why the server would refuse a photo, as far as one can know before it is sent. @param {{blob: Blob, width?: number, height?: number, error?: any}} photo @param {Facts} facts */
function reason({ blob, width, height, error }, { limits }) {
  if (error) return error;
  if (blob.size > limits.bytes) return ownError("upload_too_large");
  if (width && height && width * height > limits.pixels) return ownError("too_many_pixels");
  if (width && height && Math.min(width, height) < limits.side) return ownError("image_too_small");
  return undefined;
}

/** What a file is, and how many pixels it has, as far as its header says. @param {ArrayBuffer} head @returns {Sniffed} */
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
