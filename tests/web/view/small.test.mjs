import assert from "node:assert/strict";
import { test } from "node:test";
import { SmallMask } from "../../../web/editor/gl/small.js";
import { noise } from "../core/samples.mjs";
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

/** What a small mask is by its definition. */
function byDefinition({ width, height, at }, step) {
  const columns = Math.ceil(width / step);
  const cells = new Uint8Array(columns * Math.ceil(height / step));
  let total = 0;
  for (let y = 0; y < height; y += step)
    for (let x = 0; x < width; x += step) {
      const [right, bottom] = [Math.min(width, x + step), Math.min(height, y + step)];
      let sum = 0;
      for (let row = y; row < bottom; row++) for (let column = x; column < right; column++) sum += at(column, row);
      cells[(y / step) * columns + x / step] = Math.round(sum / ((right - x) * (bottom - y)));
      total += sum;
    }
  return { cells, kept: total / 255 / width / height };
}

test("cells and the kept share are exact for every size and level", () => {
  const random = noise(4097 * 600);
  for (const [width, height, step] of [[700, 300, 1], [2047, 270, 2], [4093, 515, 4], [300, 4097, 8]]) {
    // A quarter of noise beside tiles of one level.
    const at = (x, y) => (x < width / 4 ? random[y * 500 + (x % 500)] : x < width / 2 ? 255 : x < (3 * width) / 4 ? 7 : 0);
    const small = new SmallMask(tiled(width, height, at)).update();
    const expected = byDefinition({ width, height, at }, step);
    assert.equal(small.step, step);
    assert.deepEqual(small.bytes, expected.cells);
    assert.ok(Math.abs(small.kept() - expected.kept) < 1e-12);
  }
});

test("the box of single px is exact wherever they are", () => {
  for (const [x, y] of [[0, 0], [3, 5], [255, 255], [256, 7], [599, 511]]) {
    const mask = tiled(600, 512, (column, row) => (column === x && row === y ? 11 : 10));
    assert.deepEqual(new SmallMask(mask).update().box(), { x, y, width: 1, height: 1 });
  }
  const two = tiled(600, 512, (x, y) => ((x === 300 && y === 9) || (x === 290 && y === 20) ? 200 : 0));
  assert.deepEqual(new SmallMask(two).update().box(), { x: 290, y: 9, width: 11, height: 12 });
});

test("each update with changes has a number of its own", () => {
  const mask = box(300, 300, 10, 10, 20, 20);
  const small = new SmallMask(mask).update();
  const { revision } = small;
  assert.equal(small.update().revision, revision);
  mask.set(0, 0, 255);
  assert.notEqual(small.update().revision, revision);
});
