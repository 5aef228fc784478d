// The server's stream of events, read in parts of any size.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventReader } from "../../../web/app/sse.js";

/** @param {string[]} parts */
const read = (parts) => {
  const found = [];
  const take = eventReader((fields) => { if (fields.data) found.push(fields); });
  for (const part of parts) take(part);
  return found;
};

for (const end of ["\n", "\r\n"]) {
  test(`events are complete wherever the stream is cut: ${JSON.stringify(end)}`, () => {
    const stream = [": still here", "", "event: job", "id: 7", 'data: {"a": "b: c"}', "", "data: one", "data: two", "", "data: not complete"].join(end);
    const wanted = [{ event: "job", id: "7", data: '{"a": "b: c"}' }, { data: "one\ntwo" }];
    assert.deepEqual(read([stream]), wanted);
    for (let at = 0; at <= stream.length; at += 1) assert.deepEqual(read([stream.slice(0, at), stream.slice(at)]), wanted, String(at));
    assert.deepEqual(read([...stream]), wanted);
  });
}
