import assert from "node:assert/strict";
import { test } from "node:test";
import { edgeOf, gridOf, moved, zonesOf } from "../../../web/editor/core/edge.js";
import { Mask } from "../../../web/editor/core/mask.js";
import { Stroke } from "../../../web/editor/core/raster.js";

const PICTURE = { width: 700, height: 500 };

/** A stroke along a wave. @param {number} radius @param {number} count */
function wave(radius, count) {
  const points = Array.from({ length: count }, (_, i) => ({ x: 130.3 + 13.7 * i, y: 240.6 + 90 * Math.sin(i / 3) }));
  return { points, radius, target: 0 };
}

/** What a hard brush paints on a grid, as 0 and 1. @param {ReturnType<typeof wave>} hint @param {ReturnType<typeof gridOf>} grid @param {number} share of the diameter */
function painted({ points, radius }, { rect, width, height, scale }, share) {
  const mask = new Mask(width, height, 0);
  const brush = { target: 255, size: Math.max(1, 2 * radius * share * scale), hardness: 1, opacity: 1 };
  const stroke = new Stroke(mask, { touch: (n) => mask.tile(n).slice() }, brush);
  for (const { x, y } of points) stroke.to({ x: (x - rect.x) * scale, y: (y - rect.y) * scale });
  return mask.toBytes().map((level) => level >> 7);
}

for (const [radius, count, most] of [[0.6, 5, 1e6], [3, 1, 1e6], [20, 2, 1e6], [33.3, 25, 1e6], [120, 25, 9e4]]) {
  test(`zones of ${count} points are what hard brushes of radius ${radius} paint, on ${most} px at most`, () => {
    const hint = wave(radius, count);
    const grid = gridOf(hint, PICTURE, most);
    assert.ok(grid.width * grid.height <= 1.01 * most);
    const zones = zonesOf(hint, grid);
    assert.deepEqual(zones.map((zone) => Number(zone > 0)), painted(hint, grid, 1.5));
    assert.deepEqual(zones.map((zone) => Number(zone === 2)), painted(hint, grid, 0.5));
  });
}

test("levels move towards the target, in the band as far as was found, and nowhere else", () => {
  const zones = Uint8Array.of(0, 1, 1, 1, 2);
  const [old, found] = [Uint8Array.of(100, 100, 100, 100, 100), Uint8Array.of(0, 5, 130, 250, 90)];
  const at = (/** @type {number} */ target) => moved({ points: [], radius: 1, target }, zones, old, found);
  assert.deepEqual(at(0), { levels: Uint8Array.of(255, 5, 100, 100, 0), unsure: 1 / 3 });
  assert.deepEqual(at(255), { levels: Uint8Array.of(0, 100, 130, 250, 255), unsure: 1 / 3 });
});

test("a stroke beside an edge of the colours erases up to that edge", () => {
  const hint = { points: [{ x: 200, y: 150 }, { x: 200, y: 350 }], radius: 100, target: 0 };
  const grid = gridOf(hint, PICTURE, 1e6);
  const rgb = new Uint8ClampedArray(4 * grid.width * grid.height);
  for (let i = 0; i < grid.width * grid.height; i++) rgb.set((i % grid.width) + grid.rect.x < 260 ? [200, 60, 40, 255] : [40, 90, 200, 255], 4 * i);
  const { levels } = edgeOf(hint, grid, new Uint8Array(grid.width * grid.height).fill(255), rgb);
  const level = (/** @type {number} */ x) => levels[(250 - grid.rect.y) * grid.width + x - grid.rect.x];
  assert.deepEqual([level(200), level(250) < 60, level(270) > 220, level(400)], [0, true, true, 255]);
});
