import assert from "node:assert/strict";
import { test } from "node:test";
import { Mask, clip, overlap, union } from "../../../web/editor/core/mask.js";
import { noise } from "./samples.mjs";

test("bytes in are bytes out, whatever the size", () => {
  for (const [width, height] of [[1, 1], [256, 256], [257, 511], [700, 3]]) {
    const bytes = noise(width * height);
    const mask = Mask.fromBytes(width, height, bytes);
    assert.deepEqual(mask.toBytes(), bytes);
    assert.equal(mask.tiles.length, Math.ceil(width / 256) * Math.ceil(height / 256));
  }
});

test("tiles at the edge hold 0 outside the picture", () => {
  const mask = new Mask(300, 10);
  assert.equal(mask.tile(1)[43], 255);
  assert.equal(mask.tile(1)[44], 0);
  assert.equal(mask.tile(1)[10 * 256], 0);
  assert.equal(mask.at(299, 9), 255);
  assert.equal(mask.at(300, 9), 0);
});

test("a rectangle is read and written across tiles", () => {
  const mask = new Mask(600, 600, 0);
  const rect = { x: 200, y: 250, width: 300, height: 20 };
  const bytes = noise(6000);
  mask.write(rect, bytes);
  assert.deepEqual(mask.read(rect), bytes);
  assert.equal(mask.at(200, 249), 0);
  assert.equal(mask.at(200, 250), bytes[0]);
});

test("listeners hear each change until they leave", () => {
  const mask = new Mask(10, 10);
  const heard = [];
  const leave = mask.onChange((rect) => heard.push(rect));
  mask.changed({ x: 1, y: 2, width: 3, height: 4 });
  leave();
  mask.changed({ x: 0, y: 0, width: 1, height: 1 });
  assert.deepEqual(heard, [{ x: 1, y: 2, width: 3, height: 4 }]);
  assert.equal(mask.revision, 2);
});

test("rectangles overlap, unite and are clipped", () => {
  const a = { x: 0, y: 0, width: 4, height: 4 };
  assert.deepEqual(overlap(a, { x: 2, y: 3, width: 9, height: 9 }), { x: 2, y: 3, width: 2, height: 1 });
  assert.equal(overlap(a, { x: 5, y: 5, width: 1, height: 1 }).width, 0);
  assert.deepEqual(union(a, { x: 6, y: -1, width: 1, height: 1 }), { x: 0, y: -1, width: 7, height: 5 });
  assert.deepEqual(clip({ x: -1.5, y: 1.2, width: 3, height: 1 }, 10, 10), { x: 0, y: 1, width: 2, height: 2 });
});
