// Events from the server over fetch, which sends the key and can be aborted.
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
  const read = eventReader(({ event, data, id }) => {
    last = id ?? last;
    if (data) heard(event ?? "message", JSON.parse(data));
  });
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    read(decoder.decode(value, { stream: true }));
  }
}

/** A function that takes the stream's text in parts of any size, and hands over each event's fields when it is complete. @param {(fields: {[name: string]: string}) => void} heard */
export function eventReader(heard) {
  let rest = "";
  return (/** @type {string} */ text) => {
    const events = (rest + text).split(/\r?\n\r?\n/);
    rest = events.pop() ?? "";
    for (const event of events) {
      /** @type {{[name: string]: string}} */
      const fields = {};
      // Lines that begin with a colon are comments, which keep the connection open.
      for (const [, name, value] of event.matchAll(/^(\w+): ?(.*?)\r?$/gm)) fields[name] = name in fields ? `${fields[name]}\n${value}` : value;
      heard(fields);
    }
  };
}
