/**
 * Where a result's canvas lies on the photo, as the server plans it (`services/imaging/layout.py`).
 * The stage shows everything in px of the photo: the canvas is a frame there, which may reach beyond the photo.
 */
import { union } from "../core/mask.js";

/** @typedef {import("./small.js").Rect} Rect */
/** @typedef {{[name: string]: string}} Options */
/** @typedef {{width: number, height: number}} Size */
/** @typedef {Size & {ratio: boolean}} CanvasSize */
/** @typedef {Size & {frame: Rect}} Layout the result's size in its own px, and its canvas in px of the photo */

/** A shadow's lengths, in shares of the subject's height, or of four times its width where that is less. */
const SLENDER = 4;
const REACH = 2.6;
export const DROP_DOWN = 0.035;
export const DROP_BLUR = 0.03;
export const FEET = 0.02;
export const WIDE = [0.055, 0.02];
const MARGIN_SHARE = 0.5;
const MARGIN_PX = 500;
/** A ratio's canvas has at most this many times the photo's pixels. */
const RATIO_GROWTH = 4;

/** The layout of a photo whose subject is in this box. @param {number} width @param {number} height @param {Rect | null} subject @param {Options} options @returns {Layout} */
export function plan(width, height, subject, options) {
  const photo = { x: 0, y: 0, width, height };
  const crops = isTrue(options.crop);
  const moves = shareOf(options.scale) !== null || !["", undefined, "original"].includes(options.position);
  if (!subject || !(crops || moves)) return windowed(photo, photo, options);
  return crops ? windowed(cropped(subject, options), photo, options) : moved(subject, photo, options);
}

/** A canvas's size, such as `1000x800` or `1000 800`, or its ratio, such as `4:5`; null without one. @param {string | undefined} text @returns {CanvasSize | null} */
export function canvasOf(text) {
  const [, width, sign, height] = /^\s*([\d.]+)(?:px)?(\s*[x×:]\s*|\s+)([\d.]+)(?:px)?\s*$/i.exec(text ?? "") ?? [];
  if (!Number(width) || !Number(height)) return null;
  return { width: Number(width), height: Number(height), ratio: sign.trim() === ":" };
}

/** The canvas's size for what it has to show, before `max_width` and similar limits. @param {Rect} frame @param {Rect} photo @param {CanvasSize | null} canvas @returns {Size} */
function sizeOf(frame, photo, canvas) {
  if (!canvas) return frame;
  if (!canvas.ratio) return canvas;
  const ratio = canvas.width / canvas.height;
  const width = Math.max(frame.width, frame.height * ratio);
  const height = Math.max(frame.height, frame.width / ratio);
  const shrink = Math.min(1, Math.sqrt((RATIO_GROWTH * photo.width * photo.height) / (width * height)));
  return { width: Math.max(1, round(width * shrink)), height: Math.max(1, round(height * shrink)) };
}

/** The size in which a canvas leaves the server. @param {Size} size @param {Options} options @returns {Size} */
function fitted({ width, height }, options) {
  const most = (/** @type {string} */ name) => Number(options[name]) || Infinity;
  const scale = Math.min(1, most("max_width") / width, most("max_height") / height);
  const share = Math.sqrt(most("max_pixels") / (width * height));
  const whole = share < scale ? (/** @type {number} */ side) => Math.floor(side * share + 1e-6) : (/** @type {number} */ side) => round(side * scale);
  return { width: Math.max(1, whole(width)), height: Math.max(1, whole(height)) };
}

/** The canvas that shows this frame, which may reach beyond the photo. @param {Rect} content @param {Rect} photo @param {Options} options @returns {Layout} */
function windowed(content, photo, options) {
  const canvas = canvasOf(options.canvas);
  const full = sizeOf(content, photo, canvas);
  const size = fitted(full, options);
  if (!canvas) return { ...size, frame: content };
  const zoom = limited(Math.min(size.width / content.width, size.height / content.height), size.width / full.width, options);
  return around(content, zoom, size, sharesOf(content, photo, options));
}

/** The canvas on which the subject alone has another size or place. @param {Rect} subject @param {Rect} photo @param {Options} options @returns {Layout} */
function moved(subject, photo, options) {
  const canvas = canvasOf(options.canvas);
  const full = sizeOf(photo, photo, canvas);
  const size = fitted(full, options);
  const shrink = size.width / full.width;
  const scale = shareOf(options.scale);
  let zoom = shrink;
  if (scale !== null) zoom = limited((scale / 100) * Math.min(size.width / subject.width, size.height / subject.height), shrink, options);
  else if (canvas) zoom = limited(Math.min(size.width / photo.width, size.height / photo.height), shrink, options);
  return around(subject, zoom, size, sharesOf(subject, photo, options));
}

/** @param {number} wanted @param {number} shrink @param {Options} options */
function limited(wanted, shrink, options) {
  return options.enlarge === "never" ? Math.min(wanted, shrink) : wanted;
}

/** The canvas of a size around what stands on it, enlarged, with these shares of the free space left of it and above it. @param {Rect} content @param {number} zoom @param {Size} size @param {number[]} shares @returns {Layout} */
function around(content, zoom, { width, height }, [across, down]) {
  const wide = Math.min(width, Math.max(1, round(content.width * zoom)));
  const high = Math.min(height, Math.max(1, round(content.height * zoom)));
  const left = round((across / 100) * (width - wide));
  const top = round((down / 100) * (height - high));
  const [scaleX, scaleY] = [content.width / wide, content.height / high];
  return { width, height, frame: { x: content.x - left * scaleX, y: content.y - top * scaleY, width: width * scaleX, height: height * scaleY } };
}

/** The crop around a subject: with its margin, and its shadow where that reaches farther. @param {Rect} subject @param {Options} options @returns {Rect} */
function cropped(subject, options) {
  const [top, right, bottom, left] = marginOf(options.crop_margin, subject);
  const frame = {
    x: subject.x - left,
    y: subject.y - top,
    width: subject.width + left + right,
    height: subject.height + top + bottom,
  };
  const kind = options.shadow ?? "none";
  return kind === "none" ? frame : union(frame, shadowArea(subject, kind));
}

/** What a shadow's lengths are shares of. @param {Rect} subject */
export function measureOf(subject) {
  return Math.min(subject.height, SLENDER * subject.width);
}

/** The most that a subject's shadow may cover. @param {Rect} subject @param {string} kind @returns {Rect} */
export function shadowArea(subject, kind) {
  const measure = measureOf(subject);
  if (kind === "drop") {
    const reach = round(REACH * DROP_BLUR * measure);
    return grown(subject, [reach, reach, reach, reach], round(DROP_DOWN * measure));
  }
  const [across, down] = WIDE.map((sigma) => round((REACH * sigma + FEET) * measure));
  return grown(subject, [0, across, down, across], 0);
}

/** @param {Rect} rect @param {number[]} sides top, right, bottom and left @param {number} down @returns {Rect} */
function grown({ x, y, width, height }, [top, right, bottom, left], down) {
  return { x: x - left, y: y - top + down, width: width + left + right, height: height + top + bottom };
}

/** Top, right, bottom and left. @param {string | undefined} text @param {Rect} subject */
function marginOf(text, subject) {
  const words = (text ?? "0").trim().split(/\s+/);
  const lengths = words.length === 1 ? [0, 0, 0, 0] : words.length === 2 ? [0, 1, 0, 1] : [0, 1, 2, 3];
  const sides = [subject.height, subject.width, subject.height, subject.width];
  return lengths.map((n, side) => {
    const word = words[n] ?? "0";
    const px = word.endsWith("%") ? (parseFloat(word) / 100) * sides[side] : parseFloat(word);
    return round(Math.min(px || 0, MARGIN_SHARE * sides[side], MARGIN_PX));
  });
}

/** @param {string | undefined} text */
function shareOf(text) {
  const share = parseFloat(text ?? "");
  return Number.isFinite(share) ? share : null;
}

/** How much of the free space is left of the frame, and above it, in per cent. @param {Rect} frame @param {Rect} photo @param {Options} options */
function sharesOf(frame, photo, { position }) {
  if (position === "original") {
    const share = (/** @type {number} */ start, /** @type {number} */ room) => (room > 0 ? Math.min(100, Math.max(0, (100 * start) / room)) : 50);
    return [share(frame.x, photo.width - frame.width), share(frame.y, photo.height - frame.height)];
  }
  const words = (position ?? "").split(/\s+/).map(parseFloat).filter(Number.isFinite);
  return words.length ? [words[0], words[words.length - 1]] : [50, 50];
}

/** @param {string | undefined} text */
function isTrue(text) {
  return ["true", "1", "yes", "on"].includes((text ?? "").toLowerCase());
}

/** Round as the server does: one half goes to the even neighbour. @param {number} value */
function round(value) {
  const whole = Math.round(value);
  return Math.abs(value % 1) === 0.5 && whole % 2 ? whole - 1 : whole;
}
