import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../../../web/editor/core/history.js";
import { Mask } from "../../../web/editor/core/mask.js";
import { ellipse, fill, rectangle, simplify } from "../../../web/editor/core/polygon.js";
import { blur } from "../../../web/editor/core/blur.js";
import { applyRegion, grown, placed, shaped } from "../../../web/editor/core/region.js";
import { deflate, noise, softEllipse } from "./samples.mjs";

const total = (bytes) => bytes.reduce((sum, level) => sum + level, 0) / 255;

test("a rectangle on whole pixels is covered exactly", () => {
  const region = fill(rectangle([2, 3], [7, 5]), 20, 20);
  assert.deepEqual({ ...region, bytes: [...region.bytes] }, { x: 2, y: 3, width: 5, height: 2, bytes: new Array(10).fill(255) });
});

test("a rectangle on quarter pixels has the quarters' levels", () => {
  const region = fill(rectangle([0.5, 0], [1.75, 1]), 9, 9);
  assert.deepEqual([...region.bytes], [128, 191]);
});

test("an area crossed twice is outside: even-odd", () => {
  const star = [0, 2, 4, 1, 3].map((i) => [50 + 40 * Math.sin((i * 2 * Math.PI) / 5), 50 - 40 * Math.cos((i * 2 * Math.PI) / 5)]);
  const region = fill(star, 100, 100);
  const at = (x, y) => region.bytes[(y - region.y) * region.width + x - region.x];
  assert.equal(at(50, 50), 0);
  assert.equal(at(50, 18), 255);
});

test("outlines outside the picture are clipped", () => {
  const region = fill(rectangle([-50, -50], [150, 20]), 100, 100);
  assert.deepEqual([region.x, region.y, region.width, region.height], [0, 0, 100, 20]);
  assert.equal(total(region.bytes), 2000);
  assert.equal(fill(rectangle([200, 200], [300, 300]), 100, 100).bytes.length, 0);
});

test("an ellipse has its area", () => {
  const area = total(fill(ellipse([10.3, 20.7], [210.3, 120.7]), 400, 400).bytes);
  assert.ok(Math.abs(area / (Math.PI * 100 * 50) - 1) < 0.005, String(area));
});

test("a simplified line stays within the tolerance and keeps its ends", () => {
  const path = Array.from({ length: 500 }, (_, i) => [i, 30 * Math.sin(i / 40)]);
  const few = simplify(path, 1);
  assert.ok(few.length < 40);
  assert.deepEqual([few[0], few.at(-1)], [path[0], path.at(-1)]);
  assert.deepEqual(simplify([[1, 1]], 1), [[1, 1]]);
});

test("growing gives each pixel the largest level in a disc; shrinking is its mirror", () => {
  const bytes = noise(40 * 30).map((level) => (level > 250 ? level : 0));
  const slow = bytes.map((_, i) => {
    let most = 0;
    for (let dy = -3; dy <= 3; dy++)
      for (let dx = -3; dx <= 3; dx++) {
        const [x, y] = [(i % 40) + dx, Math.floor(i / 40) + dy];
        if (dx * dx + dy * dy <= 9 && x >= 0 && y >= 0 && x < 40 && y < 30) most = Math.max(most, bytes[y * 40 + x]);
      }
    return most;
  });
  assert.deepEqual(grown(bytes, 40, 30, 3), slow);
  const inverse = bytes.map((level) => 255 - level);
  assert.deepEqual(grown(inverse, 40, 30, -3), slow.map((level) => 255 - level));
});

test("feather keeps the area and softens the edge", () => {
  const region = fill(rectangle([100, 100], [300, 200]), 500, 400);
  const soft = shaped(region, { grow: 0, feather: 10, width: 500, height: 400 });
  assert.ok(Math.abs(total(soft.bytes) / 20000 - 1) < 0.01);
  const row = soft.bytes.subarray((150 - soft.y) * soft.width, (151 - soft.y) * soft.width);
  assert.ok(Math.abs(row[100 - soft.x] - 128) < 15);
  assert.equal(row[115 - soft.x], 255);
  assert.equal(row[82 - soft.x], 0);
});

test("a grown region ends at the picture's edge", () => {
  const region = fill(rectangle([0, 0], [10, 10]), 12, 30);
  const bigger = shaped(region, { grow: 5, feather: 0, width: 12, height: 30 });
  assert.deepEqual([bigger.x, bigger.y, bigger.width], [0, 0, 12]);
});

test("a region erases, restores, or keeps only itself, as one step", () => {
  const start = softEllipse(300, 280);
  const mask = Mask.fromBytes(300, 280, start);
  const history = new History(mask, { deflate });
  const region = fill(rectangle([100, 80], [290, 270]), 300, 280);
  const inside = (i) => i % 300 >= 100 && i % 300 < 290 && Math.floor(i / 300) >= 80 && Math.floor(i / 300) < 270;
  for (const [mode, expected] of [
    ["erase", start.map((level, i) => (inside(i) ? 0 : level))],
    ["restore", start.map((level, i) => (inside(i) ? 255 : level))],
    ["keep", start.map((level, i) => (inside(i) ? level : 0))],
  ]) {
    applyRegion(mask, history, region, mode, "rectangle");
    assert.deepEqual(mask.toBytes(), expected);
    assert.equal(history.depth, 1);
    history.undo();
    assert.deepEqual(mask.toBytes(), start);
  }
});

test("a region across many squares is shaped as in one piece", () => {
  const region = fill(ellipse([100.5, 80.2], [1300.7, 900.4]), 1400, 1000);
  for (const how of [{ grow: 9, feather: 12 }, { grow: -14, feather: 0 }, { grow: 0, feather: 30 }]) {
    const found = shaped(region, { ...how, width: 1400, height: 1000 });
    let whole = placed(region, { x: 0, y: 0, width: 1400, height: 1000 });
    if (how.grow) whole = grown(whole, 1400, 1000, how.grow);
    if (how.feather) whole = blur(whole, 1400, 1000, how.feather / 2);
    const same = placed(found, { x: 0, y: 0, width: 1400, height: 1000 });
    assert.ok(same.every((level, i) => Math.abs(level - whole[i]) <= 1), JSON.stringify(how));
  }
});

test("a region at the picture's edge has no soft edge there", () => {
  const region = fill(rectangle([-20, -20], [50, 200]), 100, 100);
  const found = shaped(region, { grow: -3, feather: 10, width: 100, height: 100 });
  assert.equal(found.bytes[0], 255);
  assert.equal(found.bytes[99 * found.width], 255);
  assert.ok(found.bytes[47] > 90 && found.bytes[47] < 165);
});
