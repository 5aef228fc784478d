// Photos on their way in: dropped, picked or pasted; single, in folders or in a ZIP file.
import { unzipPhotos } from "./archive.js";
import { HEAD_BYTES, sniff } from "./sniff.js";

/**
 * @typedef {{file: File, path: string}} Found a file and the folder it is in ("" or "a/b/")
 * @typedef {{name: string, path: string, blob: Blob, type: string, modified: number, width?: number, height?: number, error?: import("../app/store.js").DocError}} Photo
 * @typedef {{photos: Photo[], others: string[], hidden: number, twice: number}} Intake
 * @typedef {import("../app/api.js").StudioFacts} Facts
 */

const AT_ONCE = 8;
const HIDDEN = /^(\.|Thumbs\.db$|desktop\.ini$|__MACOSX$)/;
const TYPES = /** @type {{[kind: string]: string}} */ ({ jpeg: "image/jpeg", png: "image/png", webp: "image/webp", gif: "image/gif", bmp: "image/bmp", tiff: "image/tiff", avif: "image/avif", heic: "image/heic" });

/** The files of a drop, with those of dropped folders. @param {DataTransfer} transfer @returns {Promise<Found[]>} */
export async function droppedFiles(transfer) {
  // The entries are only there while the event is handled.
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? null);
  const files = [...transfer.files];
  if (!entries.length || entries.some((entry) => !entry)) return files.map((file) => ({ file, path: "" }));
  /** @type {Found[]} */
  const found = [];
  for (const entry of entries) await walk(/** @type {FileSystemEntry} */ (entry), "", found);
  return found;
}

/** @param {FileSystemEntry} entry @param {string} path @param {Found[]} found */
async function walk(entry, path, found) {
  if (HIDDEN.test(entry.name) && path) { found.push({ file: new File([], entry.name), path: HIDDEN_PATH }); return; }
  if (entry.isFile) {
    const file = await new Promise((resolve) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, () => resolve(null)));
    if (file) found.push({ file, path });
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  for (;;) {
    // Chromium gives at most 100 entries at a time.
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return;
    for (const child of some) await walk(child, `${path}${entry.name}/`, found);
  }
}

/** Marks a file that is only counted. */
const HIDDEN_PATH = "\0";

/** The files of an input. @param {FileList|File[]} files @returns {Found[]} */
export function pickedFiles(files) {
  return [...files].map((file) => {
    const folder = (file.webkitRelativePath ?? "").split("/").slice(0, -1);
    const hidden = folder.some((part) => HIDDEN.test(part)) || (folder.length > 0 && HIDDEN.test(file.name));
    return { file, path: hidden ? HIDDEN_PATH : folder.map((part) => `${part}/`).join("") };
  });
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
    if (kind === "zip") return (await unzipPhotos(file, facts.limits.bytes)).map(({ path: inside, ...photo }) => ({ ...photo, path: path + inside, error: reason(photo, facts) }));
    const looksLikePhoto = kind !== "other" && kind !== "empty";
    if (!looksLikePhoto && !file.type.startsWith("image/") && !/\.(jpe?g|png|webp|heic|heif|avif|tiff?|bmp|gif)$/i.test(file.name)) return file.name;
    const photo = { name: file.name, path, blob: file, type: TYPES[kind] ?? file.type, modified: file.lastModified, ...size };
    return [{ ...photo, error: kind === "empty" ? refused("empty_image") : kind === "other" ? refused("unsupported_format") : reason(photo, facts) }];
  } catch {
    return [{ name: file.name, path, blob: file, type: file.type, modified: file.lastModified, error: refused("unreadable_file") }];
  }
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
  return { code, text: "", solution: "", details: "", retryable: code === "upload_too_large" || code === "too_many_pixels" };
}
