import assert from "node:assert/strict";
import { test } from "node:test";
import { frameKind, groundKind, presetOf, withFrame, withGround, withPreset, withoutPreset } from "../../../web/editor/choices.js";
import { changed, presetList, withoutName } from "../../../web/editor/options.js";

const AMAZON = { options: { canvas: "2000x2000", background: "ffffff", scale: "85%", format: "jpeg", quality: 90 }, title: "Amazon", source: "https://example.com", date: "2026-11-01", note: "Pure white" };

test("an empty value takes an option away", () => {
  assert.deepEqual(changed({ format: "png", dpi: "300" }, { dpi: "", quality: 90 }), { format: "png", quality: "90" });
});

test("one kind of background takes the place of another", () => {
  const blurred = withGround({ background: "#fff", format: "png" }, "blur");
  assert.deepEqual(blurred, { background_blur: "40", format: "png" });
  assert.equal(groundKind(blurred, false), "blur");
  assert.equal(groundKind(withGround(blurred, "gradient"), false), "gradient");
  assert.equal(groundKind(withGround(blurred, "none"), false), "none");
  assert.equal(groundKind({}, true), "picture");
});

test("a canvas is named by its ratio or size", () => {
  assert.equal(frameKind({}), "photo");
  assert.equal(frameKind({ crop: "true" }), "crop");
  assert.equal(frameKind({ canvas: "4:5" }), "tall");
  assert.equal(frameKind({ canvas: "1200 800" }), "exact");
});

test("a canvas leaves nothing of the one before it", () => {
  const cropped = withFrame({ canvas: "1:1", scale: "85%", enlarge: "always" }, "crop");
  assert.deepEqual(cropped, { crop: "true", crop_margin: "5%" });
  assert.deepEqual(withFrame(cropped, "photo"), {});
});

test("presets come with their sources, or as options alone", () => {
  const [amazon, web] = presetList({ amazon: AMAZON, web: { max_width: 800, format: "jpeg" } });
  assert.deepEqual([amazon.title, amazon.source, amazon.options.quality], ["Amazon", "https://example.com", "90"]);
  assert.deepEqual([web.title, web.options], ["Web", { max_width: "800", format: "jpeg" }]);
});

test("a preset in use is found, and taken away again", () => {
  const presets = presetList({ amazon: AMAZON, web: { max_width: 800, format: "jpeg" } });
  const options = withPreset({ background_blur: "40", shadow: "drop", shadow_opacity: "30" }, presets[0]);
  assert.equal(options.background_blur, undefined);
  assert.equal(options.shadow, undefined);
  assert.equal(presetOf(presets, options)?.name, "amazon");
  assert.equal(presetOf(presets, changed(options, { background: "#FFFFFF" }))?.name, "amazon");
  assert.equal(presetOf(presets, changed(options, { scale: "70%" })), undefined);
  assert.deepEqual(withoutPreset(options, presets[0]), { shadow_opacity: "30" });
});

test("the name of a preset is taken for its options", () => {
  const presets = presetList({ amazon: AMAZON });
  assert.deepEqual(withoutName({ preset: "amazon", quality: "95" }, presets), { canvas: "2000x2000", background: "ffffff", scale: "85%", format: "jpeg", quality: "95" });
  assert.deepEqual(withoutName({ format: "png" }, presets), { format: "png" });
});
