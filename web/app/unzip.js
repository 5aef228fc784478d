// Reads ZIP files: entries stored or deflated, found by the directory at the archive's end. No ZIP64, no encryption.

/** @typedef {{path: string, size: number, packed: number, method: number, offset: number, modified: number}} Entry */

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_BYTES = 22;
// The end record stands behind at most a comment.
const TAIL_BYTES = 65557;
const TYPES = /** @type {{[ending: string]: string}} */ ({ png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", webp: "image/webp", avif: "image/avif", gif: "image/gif" });

/** The files of a small archive by path. @param {Blob} archive @returns {Promise<Map<string, Blob>>} */
export async function unzip(archive) {
  const files = new Map();
  for (const entry of await entriesOf(archive)) files.set(entry.path, await openEntry(archive, entry));
  return files;
}

/** @param {Blob} archive @returns {Promise<Entry[]>} */
export async function entriesOf(archive) {
  const tail = new DataView(await archive.slice(Math.max(0, archive.size - TAIL_BYTES)).arrayBuffer());
  let end = tail.byteLength - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END) end -= 1;
  if (end < 0) throw new Error("no ZIP file");
  const [count, bytes, start] = [tail.getUint16(end + 10, true), tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
  return readDirectory(new DataView(await archive.slice(start, start + bytes).arrayBuffer()), count);
}

/** @param {DataView} view @param {number} count @returns {Entry[]} */
function readDirectory(view, count) {
  /** @type {Entry[]} */
  const entries = [];
  for (let at = 0, left = count; left > 0; left -= 1) {
    if (view.getUint32(at, true) !== ENTRY) throw new Error("a damaged ZIP file");
    const [name, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    if (view.getUint16(at + 8, true) & 1) throw new Error("an encrypted ZIP file");
    entries.push({
      path: new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, name)),
      method: view.getUint16(at + 10, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
      modified: view.getUint32(at + 12, true),
    });
    at += 46 + name + extra + comment;
  }
  return entries;
}

/** @param {Blob} archive @param {Entry} entry @returns {Promise<Blob>} */
export async function openEntry(archive, { offset, packed, size, method, path }) {
  const local = new DataView(await archive.slice(offset, offset + 30).arrayBuffer());
  const start = offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  const type = TYPES[path.split(".").pop()?.toLowerCase() ?? ""] ?? "";
  const bytes = archive.slice(start, start + packed, type);
  if (method === 0) return bytes;
  if (method !== 8) throw new Error("an unknown kind of ZIP file");
  return new Blob([await inflate(bytes, size)], { type });
}

/** Inflate at most `size` bytes, which the directory announces. @param {Blob} bytes @param {number} size */
async function inflate(bytes, size) {
  const inflated = new Uint8Array(size);
  const reader = /** @type {ReadableStream<Uint8Array>} */ (bytes.stream().pipeThrough(new DecompressionStream("deflate-raw"))).getReader();
  for (let at = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return inflated;
    if (at + value.length > size) throw new Error("a damaged ZIP file");
    inflated.set(value, at);
    at += value.length;
  }
}
