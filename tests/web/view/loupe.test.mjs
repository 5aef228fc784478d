import assert from "node:assert/strict";
import { test } from "node:test";
import { RADIUS, loupePlace } from "../../../web/editor/loupe.js";

const stage = { width: 390, height: 560 };

test("magnifier is beside the finger, never under it and never outside", () => {
  for (let x = 0; x <= stage.width; x += 10)
    for (let y = 0; y <= stage.height; y += 10) {
      const at = loupePlace({ x, y }, stage);
      assert.ok(Math.hypot(at.x - x, at.y - y) > RADIUS + 20, `${x} ${y}`);
      assert.ok(at.x >= RADIUS && at.x <= stage.width - RADIUS && at.y >= RADIUS && at.y <= stage.height - RADIUS, `${x} ${y}`);
    }
});

test("magnifier changes the side at the left edge", () => {
  assert.ok(loupePlace({ x: 200, y: 300 }, stage).x < 200);
  assert.ok(loupePlace({ x: 60, y: 300 }, stage).x > 60);
});
