// Events from the server over fetch, which sends the key and can be aborted.
import { createParser } from "../vendor/eventsource-parser/eventsource-parser.js";
import { request } from "./api.js";

/** The id of the newest event, which a new connection goes on from. */
let last = "";

/**
 * Listen until the server ends the stream. @param {string} path @param {(name: string, data: any) => void} heard @param {AbortSignal} signal
 * @param {() => void} [opened]
 */
export async function listen(path, heard, signal, opened) {
  const headers = { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) };
  const answer = await request(path, { headers, signal, cache: "no-store" });
  opened?.();
  const parser = createParser({
    onEvent(message) {
      if (message.id) last = message.id;
      heard(message.event ?? "message", JSON.parse(message.data));
    },
  });
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
  }
}
