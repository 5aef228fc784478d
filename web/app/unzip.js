// Reads the ZIP files that this server makes: entries stored or deflated, sizes in the central directory.
const END = 0x06054b50;
const ENTRY = 0x02014b50;

/** The files of an archive by name. @param {Blob} archive @returns {Promise<Map<string, Blob>>} */
export async function unzip(archive) {
  const bytes = new DataView(await archive.arrayBuffer());
  let at = bytes.byteLength - 22;
  while (at >= 0 && bytes.getUint32(at, true) !== END) at -= 1;
  if (at < 0) throw new Error("not a ZIP file");
  const files = new Map();
  let entry = bytes.getUint32(at + 16, true);
  for (let left = bytes.getUint16(at + 10, true); left > 0; left -= 1) {
    if (bytes.getUint32(entry, true) !== ENTRY) throw new Error("a damaged ZIP file");
    const [name, extra, comment] = [28, 30, 32].map((offset) => bytes.getUint16(entry + offset, true));
    const path = new TextDecoder().decode(new Uint8Array(bytes.buffer, entry + 46, name));
    files.set(path, await contentOf(bytes, entry, path));
    entry += 46 + name + extra + comment;
  }
  return files;
}

/** @param {DataView} bytes @param {number} entry @param {string} path @returns {Promise<Blob>} */
async function contentOf(bytes, entry, path) {
  const size = bytes.getUint32(entry + 20, true);
  const local = bytes.getUint32(entry + 42, true);
  const start = local + 30 + bytes.getUint16(local + 26, true) + bytes.getUint16(local + 28, true);
  const packed = new Blob([new Uint8Array(/** @type {ArrayBuffer} */ (bytes.buffer), start, size)]);
  const type = path.endsWith(".png") ? "image/png" : "image/jpeg";
  if (bytes.getUint16(entry + 10, true) === 0) return packed.slice(0, size, type);
  const inflated = await new Response(packed.stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer();
  return new Blob([inflated], { type });
}
