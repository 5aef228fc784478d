/** Deflate and inflate by the browser's streams. */

/** Return raw deflate data. @param {Uint8Array} bytes @returns {Promise<Uint8Array<ArrayBuffer>>} */
export async function deflate(bytes) {
  return through(new CompressionStream("deflate-raw"), [bytes]);
}

/** Send chunks through a stream and return what comes out. @param {GenericTransformStream} stream
 * @param {Iterable<Uint8Array>} chunks @returns {Promise<Uint8Array<ArrayBuffer>>} */
export async function through(stream, chunks) {
  const writer = stream.writable.getWriter();
  const writing = (async () => {
    for (const chunk of chunks) await writer.write(chunk);
    await writer.close();
  })();
  const [buffer] = await Promise.all([new Response(stream.readable).arrayBuffer(), writing]);
  return new Uint8Array(buffer);
}
