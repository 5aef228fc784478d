// What the files are: photos with their sizes and errors, ZIP files of photos, others.
import { HEAD_BYTES, sniff } from "./sniff.js";

/**
 * @typedef {{file: File, path: string}} Found a file and the folder it is in ("" or "a/b/")
 * @typedef {{name: string, path: string, blob: Blob, type: string, modified: number, width?: number, height?: number, error?: import("../app/store.js").DocError}} Photo
 * @typedef {{photos: Photo[], others: string[], hidden: number, twice: number}} Intake
 * @typedef {import("../app/api.js").StudioFacts} Facts
 */

const AT_ONCE = 8;
/** As a person sorts names: 9 before 10. */
const ORDER = new Intl.Collator(undefined, { numeric: true });
/** The path of a file that is only counted. */
const HIDDEN_PATH = "\0";
const HIDDEN = /^(\.|Thumbs\.db$|desktop\.ini$|__MACOSX$)/;
const TYPES = /** @type {{[kind: string]: string}} */ ({ jpeg: "image/jpeg", png: "image/png", webp: "image/webp", gif: "image/gif", bmp: "image/bmp", tiff: "image/tiff", avif: "image/avif", heic: "image/heic" });

/** The files, with those in folders. @param {import("./drop.js").Dropped[]} items @returns {Promise<Found[]>} */
export async function filesIn(items) {
  /** @type {Found[]} */
  const found = [];
  for (const item of items) {
    if (item instanceof File) found.push(picked(item));
    else await walk(item, "", found);
  }
  // Browsers read folders in the order of the disk.
  if (found.some(({ path }) => path)) found.sort((one, other) => ORDER.compare(one.path + one.file.name, other.path + other.file.name));
  return found;
}

/** A file of an input, which has its folder in its path. @param {File} file @returns {Found} */
function picked(file) {
  const folder = (file.webkitRelativePath ?? "").split("/").slice(0, -1);
  const hidden = folder.length > 0 && [...folder, file.name].some((part) => HIDDEN.test(part));
  return { file, path: hidden ? HIDDEN_PATH : folder.map((part) => `${part}/`).join("") };
}

/** @param {FileSystemEntry} entry @param {string} path @param {Found[]} found */
async function walk(entry, path, found) {
  if (path && HIDDEN.test(entry.name)) found.push({ file: new File([], entry.name), path: HIDDEN_PATH });
  else if (entry.isFile) {
    const file = await new Promise((resolve) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, () => resolve(null)));
    if (file) found.push({ file, path });
  } else {
    for (const child of await children(/** @type {FileSystemDirectoryEntry} */ (entry))) await walk(child, `${path}${entry.name}/`, found);
  }
}

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<FileSystemEntry[]>} */
async function children(folder) {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  for (;;) {
    // Chromium gives at most 100 entries at a time.
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return all;
    all.push(...some);
  }
}

/** What identifies a photo that is dropped again. @param {{path: string, name: string, bytes?: number, modified?: number}} photo @param {number} [bytes] */
export function identity({ path, name, modified }, bytes) {
  return `${path}${name}\n${bytes}\n${modified}`;
}

/** Look into each file: photos with their errors, what is no photo, what is here already. @param {Found[]} found @param {Facts} facts @param {Set<string>} known @returns {Promise<Intake>} */
export async function examine(found, facts, known) {
  /** @type {Intake} */
  const intake = { photos: [], others: [], hidden: 0, twice: 0 };
  for (let at = 0; at < found.length; at += AT_ONCE) {
    const looked = await Promise.all(found.slice(at, at + AT_ONCE).map((one) => look(one, facts)));
    for (const one of looked) take(one, intake, known);
  }
  return intake;
}

/** @param {Photo[]|string|undefined} looked @param {Intake} intake @param {Set<string>} known */
function take(looked, intake, known) {
  if (looked === undefined) intake.hidden += 1;
  else if (typeof looked === "string") intake.others.push(looked);
  else {
    for (const photo of looked) {
      const key = identity(photo, photo.blob.size);
      if (known.has(key)) intake.twice += 1;
      else intake.photos.push(photo);
      known.add(key);
    }
  }
}

/** The photos in a file; its name where it is none; undefined where it is hidden. @param {Found} found @param {Facts} facts @returns {Promise<Photo[]|string|undefined>} */
async function look({ file, path }, facts) {
  if (path === HIDDEN_PATH) return undefined;
  try {
    const { kind, ...size } = sniff(await file.slice(0, HEAD_BYTES).arrayBuffer());
    if (kind === "zip") return await unpacked(file, path, facts);
    const looksLikePhoto = kind !== "other" && kind !== "empty";
    if (!looksLikePhoto && !file.type.startsWith("image/") && !/\.(jpe?g|png|webp|heic|heif|avif|tiff?|bmp|gif)$/i.test(file.name)) return file.name;
    const photo = { name: file.name, path, blob: file, type: TYPES[kind] ?? file.type, modified: file.lastModified, ...size };
    return [{ ...photo, error: kind === "empty" ? refused("empty_image") : kind === "other" ? refused("unsupported_format") : reason(photo, facts) }];
  } catch {
    return [{ name: file.name, path, blob: file, type: file.type, modified: file.lastModified, error: refused("unreadable_file") }];
  }
}

/** @param {File} file @param {string} path @param {Facts} facts */
async function unpacked(file, path, facts) {
  const { unzipPhotos } = await import("./archive.js");
  const photos = await unzipPhotos(file, facts.limits.bytes);
  return photos.length ? photos.map((photo) => ({ ...photo, path: path + photo.path, error: reason(photo, facts) })) : file.name;
}

/** Why the server would refuse a photo, as far as one can know before it is sent. @param {{blob: Blob, width?: number, height?: number, error?: any}} photo @param {Facts} facts */
function reason({ blob, width, height, error }, { limits }) {
  if (error) return error;
  if (blob.size > limits.bytes) return refused("upload_too_large");
  if (width && height && width * height > limits.pixels) return refused("too_many_pixels");
  if (width && height && Math.min(width, height) < limits.side) return refused("image_too_small");
  return undefined;
}

/** @param {string} code @returns {import("../app/store.js").DocError} */
export function refused(code) {
  return { code, text: "", solution: "", details: "", retryable: false };
}
