/**
 * The options of a result as the panels show them: a kind of background, a kind of canvas, a preset.
 */
import { changed } from "./options.js";

/** @typedef {import("./options.js").Options} Options */
/** @typedef {import("./options.js").Preset} Preset */
/** @typedef {"none" | "colour" | "gradient" | "picture" | "blur"} GroundKind */
/** @typedef {"photo" | "crop" | "square" | "tall" | "wide" | "exact"} FrameKind */

export const DEFAULT_COLOUR = "#ffffff";
export const DEFAULT_GRADIENT = "180 #ffffff #d9dde5";
export const DEFAULT_BLUR = "40";
export const DEFAULT_STRENGTH = 50;
export const DEFAULT_QUALITY = 80;
export const SWATCHES = ["#ffffff", "#f4f4f2", "#d9dde5", "#111318", "#e9dfd2", "#cfe3f7", "#d8ecd9", "#f7d6d9"];
export const GRADIENTS = ["180 #ffffff #d9dde5", "135 #f7efe5 #e3cdb5", "160 #e8f1ff #a9c4ee", "145 #fde7ef #c9b6f2", "180 #3a3f4b #14161b"];

/** @type {{[kind in FrameKind]: string}} the ratio or size of each kind; "" where the photo or the subject decides */
export const RATIOS = { photo: "", crop: "", square: "1:1", tall: "4:5", wide: "16:9", exact: "2000x2000" };
export const LOSSY = new Set(["jpeg", "webp", "avif"]);

/** @param {Options} options @param {boolean} hasPicture @returns {GroundKind} */
export function groundKind(options, hasPicture) {
  if (hasPicture) return "picture";
  if (options.background_blur) return "blur";
  if (options.background_gradient) return "gradient";
  return options.background ? "colour" : "none";
}

/** Options with another kind of background, and none of the others. @param {Options} options @param {GroundKind} kind */
export function withGround(options, kind) {
  return changed(options, {
    background: kind === "colour" ? options.background || DEFAULT_COLOUR : "",
    background_gradient: kind === "gradient" ? options.background_gradient || DEFAULT_GRADIENT : "",
    background_blur: kind === "blur" ? options.background_blur || DEFAULT_BLUR : "",
  });
}

/** @param {Options} options @returns {FrameKind} */
export function frameKind(options) {
  const canvas = (options.canvas ?? "").replace(/\s+/g, "x").replaceAll("px", "");
  if (canvas) {
    const known = /** @type {FrameKind[]} */ (["square", "tall", "wide"]).find((kind) => RATIOS[kind] === canvas);
    return known ?? "exact";
  }
  return options.crop === "true" ? "crop" : "photo";
}

/** Options with another kind of canvas. @param {Options} options @param {FrameKind} kind */
export function withFrame(options, kind) {
  const canvas = RATIOS[kind];
  return changed(options, {
    canvas,
    crop: kind === "crop" ? "true" : "",
    crop_margin: kind === "crop" ? options.crop_margin || "5%" : "",
    scale: kind === "crop" || kind === "photo" ? "" : options.scale,
    position: kind === "crop" || kind === "photo" ? "" : options.position,
    enlarge: canvas ? options.enlarge : "",
  });
}

/** The preset whose options are all in use. @param {Preset[]} presets @param {Options} options */
export function presetOf(presets, options) {
  // A passport's head decides its size.
  const free = (/** @type {Preset} */ preset, /** @type {string} */ name) => preset.name.startsWith("passport") && (name === "scale" || name === "position");
  const fits = (/** @type {Preset} */ preset) => Object.entries(preset.options).every(([name, value]) => free(preset, name) || alike(options[name], value));
  return presets.filter((preset) => Object.keys(preset.options).length > 1 && fits(preset)).at(-1);
}

/**
 * Options with a preset's, which replace what lays out and writes the result.
 * @param {Options} options @param {Preset} preset
 */
export function withPreset(options, preset) {
  const replaced = ["background", "background_gradient", "background_blur", "canvas", "enlarge", "crop", "crop_margin", "scale", "position"];
  const written = ["format", "quality", "dpi", "max_width", "max_height", "max_pixels", "shadow", "preset"];
  const without = Object.fromEntries([...replaced, ...written].map((name) => [name, ""]));
  return changed(changed(options, without), preset.options);
}

/** Options without what a preset set. @param {Options} options @param {Preset | undefined} preset */
export function withoutPreset(options, preset) {
  return changed(options, Object.fromEntries(Object.keys(preset?.options ?? {}).map((name) => [name, ""])));
}

/** @param {string | undefined} one @param {string} other */
function alike(one, other) {
  const plain = (/** @type {string} */ text) => text.toLowerCase().replace(/^#|[\s%]/g, "");
  return one !== undefined && plain(one) === plain(other);
}
