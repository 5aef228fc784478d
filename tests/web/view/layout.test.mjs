import assert from "node:assert/strict";
import { test } from "node:test";
import { canvasOf, plan } from "../../../web/editor/gl/layout.js";

const subject = { x: 100, y: 50, width: 200, height: 400 };

function frameOf(options, box = subject) {
  const { width, height, frame } = plan(1000, 800, box, options);
  return [width, height, frame.x, frame.y, frame.width, frame.height];
}

test("without options the canvas is the photo", () => {
  assert.deepEqual(frameOf({}), [1000, 800, 0, 0, 1000, 800]);
});

test("a largest size shrinks the result alone", () => {
  assert.deepEqual(frameOf({ max_width: "500" }), [500, 400, 0, 0, 1000, 800]);
});

test("a crop is the subject's box with its margin", () => {
  assert.deepEqual(frameOf({ crop: "true", crop_margin: "10%" }), [240, 480, 80, 10, 240, 480]);
  assert.deepEqual(frameOf({ crop: "true", crop_margin: "10px 20px" }), [240, 420, 80, 40, 240, 420]);
});

test("a share scales the subject into the middle of the photo's shape", () => {
  // 0.85 · min(1000 / 200, 800 / 400) = 1.7
  const [width, height, x, y, across, down] = frameOf({ scale: "85%" });
  assert.deepEqual([width, height], [1000, 800]);
  assert.ok(Math.abs(across - 1000 / 1.7) < 1e-9 && Math.abs(down - 800 / 1.7) < 1e-9);
  assert.ok(Math.abs(x + across / 2 - 200) < 1e-9 && Math.abs(y + down / 2 - 250) < 1e-9);
});

test("an exact canvas holds the subject at its share, enlarged only where that is wanted", () => {
  const [width, height, , , across] = frameOf({ canvas: "2000x2000", scale: "85%", enlarge: "always" });
  assert.deepEqual([width, height], [2000, 2000]);
  assert.ok(Math.abs(across - 2000 / (0.85 * (2000 / 400))) < 1e-9);
  assert.equal(frameOf({ canvas: "2000x2000", scale: "85%", enlarge: "never" })[4], 2000);
});

test("a ratio is the smallest canvas around the content", () => {
  assert.deepEqual(frameOf({ canvas: "1:1" }), [1000, 1000, 0, -100, 1000, 1000]);
});

test("without a subject nothing is cropped or moved", () => {
  assert.deepEqual(frameOf({ crop: "true", scale: "50%" }, null), [1000, 800, 0, 0, 1000, 800]);
});

test("canvases are sizes or ratios", () => {
  assert.deepEqual(canvasOf("1000x800"), { width: 1000, height: 800, ratio: false });
  assert.deepEqual(canvasOf("4:5"), { width: 4, height: 5, ratio: true });
  assert.equal(canvasOf("wide"), null);
  assert.equal(canvasOf(undefined), null);
});
