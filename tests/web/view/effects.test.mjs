import assert from "node:assert/strict";
import { test } from "node:test";
import { estimate } from "../../../web/editor/gl/colours.js";
import { fill } from "../../../web/editor/gl/blurred.js";
import { colourOf, covering, groundOf } from "../../../web/editor/gl/ground.js";
import { castShadow } from "../../../web/editor/gl/shadow.js";
import { SmallMask } from "../../../web/editor/gl/small.js";
import { box } from "./tiled.mjs";

function shadowOf(kind, opacity = 50) {
  const small = new SmallMask(box(400, 300, 100, 40, 200, 240)).update();
  return castShadow(small, small.box(), kind, opacity);
}

test("a drop shadow lies below the subject and is as dark as its opacity", () => {
  const { bytes, width, height, area } = shadowOf("drop", 50);
  // Two hundred px high: moved by 7, reaching 16 beyond.
  assert.deepEqual(area, { x: 84, y: 31, width: 132, height: 232 });
  const middle = bytes[Math.round(height / 2) * width + Math.round(width / 2)];
  assert.ok(Math.abs(middle - 128) <= 1, `${middle}`);
  assert.ok(bytes[0] <= 3);
});

test("a contact shadow is darkest at the subject's feet", () => {
  const { bytes, width, height, area } = shadowOf("contact", 100);
  const darkest = bytes.indexOf(Math.max(...bytes));
  const y = area.y + (Math.floor(darkest / width) / height) * area.height;
  assert.ok(Math.abs(y - 239) <= 4, `${y}`);
  assert.ok(Math.max(...bytes) >= 250);
});

test("there is no shadow of nothing, and none of opacity 0", () => {
  assert.equal(shadowOf("none"), null);
  assert.equal(shadowOf("drop", 0), null);
});

test("unknown parts are filled from their surroundings", () => {
  const weight = new Float32Array(64 * 64).fill(1);
  for (let y = 20; y < 44; y++) weight.fill(0, y * 64 + 20, y * 64 + 44);
  const filled = fill(weight.map((share) => share * 90), weight, 64, 64);
  for (const value of filled) assert.ok(Math.abs(value - 90) < 0.5, `${value}`);
});

test("colours are read as the API takes them", () => {
  assert.deepEqual(colourOf("#f80"), [1, 136 / 255, 0, 1]);
  assert.deepEqual(colourOf("ff880080"), [1, 136 / 255, 0, 128 / 255]);
});

test("a JPEG without a background is white", () => {
  const photo = { width: 10, height: 10 };
  const frame = { x: 0, y: 0, ...photo };
  assert.equal(groundOf({ format: "jpeg" }, frame, null, null, photo).kind, "colour");
  assert.equal(groundOf({ format: "png" }, frame, null, null, photo).kind, "none");
  assert.deepEqual(groundOf({ background_gradient: "90 #fff #000" }, frame, null, null, photo).degrees, 90);
});

test("a picture covers its frame from the middle", () => {
  assert.deepEqual(covering({ width: 200, height: 100 }, { x: 0, y: 0, width: 50, height: 50 }), { x: -25, y: 0, width: 100, height: 50 });
});

test("the subject's own colour is found under a mixture", () => {
  // Red beside blue, and one column that is half of each.
  const [width, height] = [40, 10];
  const cover = Float32Array.from({ length: width * height }, (_, n) => (n % width < 20 ? 1 : n % width === 20 ? 0.5 : 0));
  const pixels = new Uint8Array(4 * width * height);
  cover.forEach((share, n) => pixels.set([255 * share, 0, 255 * (1 - share), 255], 4 * n));
  const { own } = estimate(pixels, cover, width, height);
  const at = 4 * (5 * width + 20);
  assert.ok(own[at] > 240 && own[at + 2] < 15, `${own[at]} ${own[at + 2]}`);
});
