import assert from "node:assert/strict";
import { test } from "node:test";
import { flood, oklab } from "../../../web/editor/core/flood.js";

/** Two green discs on red, and a red frame inside the second. */
function picture() {
  const [width, height] = [120, 60];
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const first = Math.hypot(x - 30, y - 30) < 20;
    const second = Math.hypot(x - 90, y - 30) < 20;
    rgba.set(first || second ? [20, 160 + (x % 3), 40, 255] : [200, 30, 30 + (y % 4), 255], i * 4);
  }
  return oklab(rgba, width, height);
}

test("OKLab has the published values", () => {
  const { l, a, b } = oklab(new Uint8ClampedArray([255, 255, 255, 255, 255, 0, 0, 255, 0, 0, 255, 255, 0, 0, 0, 255]), 4, 1);
  const near = (found, value) => assert.ok(Math.abs(found / 250 - value) < 0.004, `${found / 250} ${value}`);
  [1, 0.628, 0.452, 0].forEach((value, i) => near(l[i] + 125, value));
  [0, 0.2249, -0.0324, 0].forEach((value, i) => near(a[i], value));
  [0, 0.1258, -0.3115, 0].forEach((value, i) => near(b[i], value));
});

test("contiguous takes one disc, everywhere takes both", () => {
  const planes = picture();
  const one = flood(planes, 30, 30, { tolerance: 10, contiguous: true });
  const all = flood(planes, 30, 30, { tolerance: 10, contiguous: false });
  for (let i = 0; i < one.length; i++) {
    const [x, y] = [i % 120, Math.floor(i / 120)];
    const [first, second] = [Math.hypot(x - 30, y - 30) < 20, Math.hypot(x - 90, y - 30) < 20];
    assert.equal(one[i], first ? 255 : 0);
    assert.equal(all[i], first || second ? 255 : 0);
  }
});

test("tolerance 0 takes the same colour alone and 100 takes all", () => {
  const planes = picture();
  const count = (tolerance) => flood(planes, 30, 30, { tolerance, contiguous: false }).reduce((sum, level) => sum + (level ? 1 : 0), 0);
  assert.ok(count(0) < count(5) && count(5) < count(100));
  assert.equal(count(100), 7200);
});

test("a flood goes round corners, as one by single steps does", () => {
  const [width, height] = [64, 64];
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  const wall = (x, y) => (y % 4 === 2 && x !== (y % 8 === 2 ? 0 : 63)) || (x * 7 + y * 13) % 29 === 0;
  for (let i = 0; i < width * height; i++) if (wall(i % width, i >> 6)) rgba.fill(0, i * 4, i * 4 + 3);
  const found = flood(oklab(rgba, width, height), 1, 0, { tolerance: 5, contiguous: true });
  const expected = new Uint8Array(width * height);
  for (const stack = [1]; stack.length; ) {
    const i = stack.pop();
    if (expected[i] || wall(i % 64, i >> 6)) continue;
    expected[i] = 255;
    if (i % 64) stack.push(i - 1);
    if (i % 64 < 63) stack.push(i + 1);
    if (i >= 64) stack.push(i - 64);
    if (i < 4032) stack.push(i + 64);
  }
  assert.deepEqual(found, expected);
});
