import assert from "node:assert/strict";
import { test } from "node:test";
import { SmallMask } from "../../../web/editor/gl/small.js";
import { box, tiled } from "./tiled.mjs";

test("the box is that of what is visible, across tiles", () => {
  const small = new SmallMask(box(700, 300, 100, 20, 650, 290)).update();
  assert.deepEqual(small.box(), { x: 100, y: 20, width: 550, height: 270 });
});

test("alpha of ten and less is invisible", () => {
  assert.equal(new SmallMask(tiled(30, 30, () => 10)).update().box(), null);
  assert.deepEqual(new SmallMask(tiled(30, 30, () => 11)).update().box(), { x: 0, y: 0, width: 30, height: 30 });
});

test("cells are the means of what they cover, at the edges too", () => {
  const small = new SmallMask(tiled(2050, 3, (x) => (x % 2 ? 200 : 100))).update();
  assert.equal(small.step, 4);
  assert.equal(small.width, 513);
  assert.equal(small.bytes[7], 150);
  assert.equal(small.bytes[512], 150);
});

test("only changed tiles are read again", () => {
  const mask = box(600, 600, 10, 10, 20, 20);
  const small = new SmallMask(mask).update();
  const read = [];
  const tile = mask.tile;
  mask.tile = (n) => (read.push(n), tile(n));
  mask.set(599, 599, 255);
  assert.deepEqual(small.update().box(), { x: 10, y: 10, width: 590, height: 590 });
  assert.deepEqual(read, [8]);
});
