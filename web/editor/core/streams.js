/** Deflate and inflate by the browser's streams. */

/** Return raw deflate data. @param {Uint8Array} bytes @returns {Promise<Uint8Array<ArrayBuffer>>} */
export async function deflate(bytes) {
  return through(new CompressionStream("deflate-raw"), [bytes]);
}

/** Send chunks through a stream and return what comes out. @param {GenericTransformStream} stream
 * @param {Iterable<Uint8Array>} chunks @returns {Promise<Uint8Array<ArrayBuffer>>} */
export async function through(stream, chunks) {
  const [buffer] = await Promise.all([new Response(stream.readable).arrayBuffer(), feed(stream, chunks)]);
  return new Uint8Array(buffer);
}

/** Fill bytes with what comes out of a stream. Returns how many came. @param {Uint8Array} bytes @param {GenericTransformStream} stream @param {Uint8Array[]} chunks */
export async function fill(bytes, stream, chunks) {
  const writing = feed(stream, chunks);
  // A damaged stream rejects the reads.
  writing.catch(() => undefined);
  const reader = stream.readable.getReader();
  let count = 0;
  for (let next; !(next = await reader.read()).done; count += next.value.length) if (count < bytes.length) bytes.set(next.value.subarray(0, bytes.length - count), count);
  await writing;
  return count;
}

/** @param {GenericTransformStream} stream @param {Iterable<Uint8Array>} chunks */
async function feed(stream, chunks) {
  const writer = stream.writable.getWriter();
  for (const chunk of chunks) await writer.write(chunk);
  await writer.close();
}
