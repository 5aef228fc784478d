/**
 * Where a result's canvas lies on the photo, as the server plans it (`services/imaging/layout.py`).
 *
 * The stage shows everything in px of the photo: the canvas is a frame there, which may reach beyond the photo.
 */
import { shadowArea } from "./shadow.js";

/** @typedef {import("./small.js").Rect} Rect */
/** @typedef {{[name: string]: string}} Options */
/**
 * @typedef {object} Layout
 * @property {number} width of the result, in its own px
 * @property {number} height of the result, in its own px
 * @property {Rect} frame the result's canvas, in px of the photo
 */

const MARGIN_SHARE = 0.5;
const MARGIN_PX = 500;

/**
 * The layout of a photo of that size whose subject is in this box.
 * @param {number} width @param {number} height @param {Rect | null} subject @param {Options} options @returns {Layout}
 */
export function plan(width, height, subject, options) {
  const photo = { x: 0, y: 0, width, height };
  const canvas = canvasOf(options.canvas);
  const scale = shareOf(options.scale);
  const moves = scale !== null || !["", undefined, "original"].includes(options.position);
  const crops = isTrue(options.crop) && subject;
  const content = crops ? cropped(subject, options) : photo;
  if (!canvas) {
    if (!subject || crops || !moves) return { ...fitted(content, options), frame: content };
    return moved(subject, photo, fitted(photo, options), scale, options);
  }
  const size = canvas.ratio ? ratioed(content, canvas) : canvas;
  if (subject && !crops && moves) return moved(subject, photo, size, scale, options);
  // All of the content is on the canvas, in its middle.
  const zoom = limited(Math.min(size.width / content.width, size.height / content.height), options);
  const frame = { width: size.width / zoom, height: size.height / zoom };
  const middle = { x: content.x + content.width / 2, y: content.y + content.height / 2 };
  return { width: size.width, height: size.height, frame: { x: middle.x - frame.width / 2, y: middle.y - frame.height / 2, ...frame } };
}

/** A canvas's size, as `1000x800`, or its ratio, as `4:5`; null without one. @param {string | undefined} text */
export function canvasOf(text) {
  const [, width, sign, height] = /^\s*([\d.]+)\s*(?:px)?\s*([x×:\s])\s*([\d.]+)\s*(?:px)?\s*$/i.exec(text ?? "") ?? [];
  if (!Number(width) || !Number(height)) return null;
  return { width: Number(width), height: Number(height), ratio: sign === ":" };
}

/** The size in which a frame leaves the server. @param {Rect} frame @param {Options} options */
function fitted(frame, options) {
  const { width, height } = frame;
  const most = (/** @type {string} */ name) => Number(options[name]) || Infinity;
  const scale = Math.min(1, most("max_width") / width, most("max_height") / height, Math.sqrt(most("max_pixels") / (width * height)));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** The smallest canvas of a ratio around a content. @param {Rect} content @param {{width: number, height: number}} ratio */
function ratioed(content, ratio) {
  const share = ratio.width / ratio.height;
  return content.width / content.height < share
    ? { width: Math.round(content.height * share), height: content.height }
    : { width: content.width, height: Math.round(content.width / share) };
}

/**
 * The canvas on which the subject alone has another size or place.
 * @param {Rect} subject @param {Rect} photo @param {{width: number, height: number}} size @param {number | null} share @param {Options} options
 * @returns {Layout}
 */
function moved(subject, photo, size, share, options) {
  const wanted = Math.min(size.width / subject.width, size.height / subject.height);
  const zoom = share === null ? Math.min(wanted, size.width / photo.width) : limited((share / 100) * wanted, options);
  const [across, down] = positionOf(options.position, subject, photo);
  const left = (across / 100) * (size.width - subject.width * zoom);
  const top = (down / 100) * (size.height - subject.height * zoom);
  return {
    width: size.width,
    height: size.height,
    frame: { x: subject.x - left / zoom, y: subject.y - top / zoom, width: size.width / zoom, height: size.height / zoom },
  };
}

/** @param {number} zoom @param {Options} options */
function limited(zoom, options) {
  return options.enlarge === "never" ? Math.min(1, zoom) : zoom;
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
  return kind === "none" ? frame : around(frame, shadowArea(subject, kind));
}

/** @param {Rect} one @param {Rect} other @returns {Rect} */
export function around(one, other) {
  const x = Math.min(one.x, other.x);
  const y = Math.min(one.y, other.y);
  const right = Math.max(one.x + one.width, other.x + other.width);
  const bottom = Math.max(one.y + one.height, other.y + other.height);
  return { x, y, width: right - x, height: bottom - y };
}

/** Top, right, bottom and left. @param {string | undefined} text @param {Rect} subject */
function marginOf(text, subject) {
  const words = (text ?? "0").trim().split(/\s+/);
  const lengths = words.length === 1 ? [0, 0, 0, 0] : words.length === 2 ? [0, 1, 0, 1] : [0, 1, 2, 3];
  const sides = [subject.height, subject.width, subject.height, subject.width];
  return lengths.map((n, side) => {
    const word = words[n] ?? "0";
    const px = word.endsWith("%") ? (parseFloat(word) / 100) * sides[side] : parseFloat(word);
    return Math.round(Math.min(px || 0, MARGIN_SHARE * sides[side], MARGIN_PX));
  });
}

/** @param {string | undefined} text */
function shareOf(text) {
  const share = parseFloat(text ?? "");
  return Number.isFinite(share) ? share : null;
}

/** How much of the free room is left of the subject, and above it, in per cent. @param {string | undefined} text @param {Rect} subject @param {Rect} photo */
function positionOf(text, subject, photo) {
  if (text === "original") {
    const across = photo.width - subject.width;
    const down = photo.height - subject.height;
    return [across ? (100 * subject.x) / across : 50, down ? (100 * subject.y) / down : 50];
  }
  const words = (text ?? "").split(/\s+/).map(parseFloat).filter(Number.isFinite);
  return words.length ? [words[0], words[words.length - 1]] : [50, 50];
}

/** @param {string | undefined} text */
function isTrue(text) {
  return ["true", "1", "yes", "on"].includes((text ?? "").toLowerCase());
}
