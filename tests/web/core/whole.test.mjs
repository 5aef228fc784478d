import assert from "node:assert/strict";
import { test } from "node:test";
import { blur, boxSums } from "../../../web/editor/core/blur.js";
import { guidedFilter } from "../../../web/editor/core/guided.js";
import { contrast, dropSpecks, feather, fillHoles, invert } from "../../../web/editor/core/whole.js";
import { noise, softEllipse } from "./samples.mjs";

function plane(text) {
  const rows = text.trim().split(/\s+/);
  return { width: rows[0].length, height: rows.length, bytes: Uint8Array.from(rows.join(""), (mark) => (mark === "#" ? 255 : 0)) };
}
const draw = (bytes, width) => Array.from({ length: bytes.length / width }, (_, y) =>
  [...bytes.subarray(y * width, (y + 1) * width)].map((level) => (level ? "#" : ".")).join("")).join(" ");

test("holes under the limit are filled; larger ones and bays at the edge stay", () => {
  const found = plane("..###### .####.## .##..### .######. ##.##### ####...#");
  assert.equal(draw(fillHoles(found, 2), 8), "..###### .####### .##..### .######. ######## ####...#");
  assert.equal(draw(fillHoles(found, 3), 8), "..###### .####### .####### .######. ######## ####...#");
});

test("specks under the limit are dropped with their soft edge", () => {
  const found = plane("#####... #####... #####..# #####... #####...");
  found.bytes[6] = 60;
  found.bytes[5] = 60;
  const kept = dropSpecks(found, 4);
  assert.equal(draw(kept, 8), "#####... #####... #####... #####... #####...");
  assert.equal(draw(dropSpecks(found, 1), 8), draw(found.bytes, 8));
});

test("parts that meet only at a corner are two", () => {
  assert.equal(draw(dropSpecks(plane("##..... ##..... ......# .......".replaceAll(" ", "\n")), 2), 7), "##..... ##..... ....... .......");
});

test("inverting twice changes nothing", () => {
  const bytes = noise(1000);
  assert.deepEqual(invert({ width: 10, height: 100, bytes: invert({ width: 10, height: 100, bytes }) }), bytes);
});

test("contrast 0 changes nothing and 100 leaves two levels", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assert.deepEqual(contrast({ width: 16, height: 16, bytes }, 0), bytes);
  assert.deepEqual([...new Set(contrast({ width: 16, height: 16, bytes }, 100))], [0, 255]);
});

test("box sums are those of a slow sum", () => {
  const values = noise(13 * 9);
  const found = boxSums(values, 13, 9, 2);
  found.forEach((sum, i) => {
    let slow = 0;
    for (let y = Math.max(0, Math.floor(i / 13) - 2); y <= Math.min(8, Math.floor(i / 13) + 2); y++)
      for (let x = Math.max(0, (i % 13) - 2); x <= Math.min(12, (i % 13) + 2); x++) slow += values[y * 13 + x];
    assert.equal(sum, slow);
  });
  assert.deepEqual([...boxSums(noise(3), 3, 1, 50)], new Array(3).fill(noise(3).reduce((a, b) => a + b)));
});

test("blur leaves even levels alone, also at the edge", () => {
  assert.deepEqual(blur(new Uint8Array(400).fill(77), 20, 20, 3), new Uint8Array(400).fill(77));
  const bytes = softEllipse(90, 90);
  assert.deepEqual(feather({ width: 90, height: 90, bytes }, 0), bytes);
});

test("the guided filter finds the edge of the colours in an unknown band", () => {
  const [width, height] = [96, 64];
  const edge = (y) => 44 + 8 * Math.sin(y / 7);
  const rgb = new Uint8ClampedArray(width * height * 4);
  const levels = new Uint8Array(width * height);
  const known = new Uint8Array(width * height);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const grain = noise(3, i + 1)[2] % 12;
    rgb.set(x < edge(y) ? [180 + grain, 60, 40, 255] : [40, 90 + grain, 150, 255], i * 4);
    known[i] = x < 24 || x > 68 ? 1 : 0;
    levels[i] = x < 24 ? 255 : 0;
  }
  const found = guidedFilter({ rgb, width, height }, levels, known, { radius: 32 });
  for (let i = 0; i < width * height; i++) {
    const off = (i % width) - edge(Math.floor(i / width));
    if (Math.abs(off) > 2) assert.ok(off < 0 ? found[i] > 200 : found[i] < 55, `${i % width},${Math.floor(i / width)}: ${found[i]}`);
  }
});
