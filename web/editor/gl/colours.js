/**
 * The subject's own colours along its soft edge, without the old background's light, as the server finds them
 * (`services/imaging/decontaminate.py`; Forte, "Approximate Fast Foreground Colour Estimation", 2021): on cells, for the view.
 */

/** @typedef {import("./small.js").SmallMask} SmallMask */
/** @typedef {{own: Uint8Array, contrast: Uint8Array, width: number, height: number}} CleanColours RGBA; contrast is 128 where both agree */

const ACROSS = 400;
/** @type {[number, number][]} shrinking and radius of each pass */
const PASSES = [[2, 6], [1, 6], [1, 2]];
const TINY = 1e-6;

/** @typedef {{pixels: Uint8ClampedArray, width: number, height: number, small: {bytes: Uint8Array, width: number, height: number}}} Cells */

/** The photo's cells and the small mask, as copies for a worker. @param {CanvasImageSource} photo @param {SmallMask} small @returns {Cells} */
export function cellsOf(photo, small) {
  const { mask } = small;
  const step = Math.max(1, Math.max(mask.width, mask.height) / ACROSS);
  const width = Math.max(1, Math.round(mask.width / step));
  const height = Math.max(1, Math.round(mask.height / step));
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.imageSmoothingQuality = "high";
  context.drawImage(photo, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  return { pixels: data, width, height, small: { bytes: small.bytes.slice(), width: small.width, height: small.height } };
}

/** @param {Cells} cells @returns {CleanColours} */
export function cleanColours({ pixels, width, height, small }) {
  return estimate(pixels, shares(small, width, height), width, height);
}

/**
 * @param {ArrayLike<number>} pixels RGBA, 0 to 255 @param {Float32Array} cover 0 to 1 @param {number} width @param {number} height
 * @returns {CleanColours}
 */
export function estimate(pixels, cover, width, height) {
  const own = new Uint8Array(4 * width * height).fill(255);
  const contrast = new Uint8Array(4 * width * height).fill(255);
  for (let channel = 0; channel < 3; channel++) {
    const colour = Float32Array.from(cover, (_, n) => pixels[4 * n + channel] / 255);
    const [front, back] = sides(colour, cover, width, height);
    for (let n = 0; n < cover.length; n++) {
      own[4 * n + channel] = Math.round(255 * Math.min(1, Math.max(0, front[n])));
      contrast[4 * n + channel] = Math.round(128 + 127 * Math.min(1, Math.max(-1, front[n] - back[n])));
    }
  }
  return { own, contrast, width, height };
}

/** Foreground and background of one channel. @param {Float32Array} colour @param {Float32Array} cover @param {number} width @param {number} height */
function sides(colour, cover, width, height) {
  let front = { plane: colour, width, height };
  let back = { plane: colour, width, height };
  PASSES.forEach(([shrink, radius], pass) => {
    const across = Math.max(1, Math.floor(width / shrink));
    const down = Math.max(1, Math.floor(height / shrink));
    const seen = sized(colour, width, height, across, down);
    const covered = sized(cover, width, height, across, down);
    const bare = covered.map((share) => 1 - share);
    const f = mean(sized(front.plane, front.width, front.height, across, down), covered.map((share) => share * share), across, down, radius);
    const b = mean(sized(back.plane, back.width, back.height, across, down), bare.map((share) => share * share), across, down, radius);
    if (pass < PASSES.length - 1) {
      for (let n = 0; n < f.length; n++) {
        const missing = seen[n] - covered[n] * f[n] - bare[n] * b[n];
        f[n] = Math.min(1, Math.max(0, f[n] + covered[n] * missing));
        b[n] = Math.min(1, Math.max(0, b[n] + bare[n] * missing));
      }
    }
    front = { plane: f, width: across, height: down };
    back = { plane: b, width: across, height: down };
  });
  return [front.plane, back.plane];
}

/** The weighted mean of each cell's neighbourhood. @param {Float32Array} colour @param {Float32Array} weight @param {number} width @param {number} height @param {number} radius */
function mean(colour, weight, width, height, radius) {
  const total = boxed(colour.map((value, n) => value * weight[n]), width, height, radius);
  const weights = boxed(weight, width, height, radius);
  return colour.map((value, n) => (total[n] + TINY * value) / (weights[n] + TINY));
}

/** @param {Float32Array} plane @param {number} width @param {number} height @param {number} radius */
function boxed(plane, width, height, radius) {
  return along(along(plane, width, height, 1, width, radius), height, width, width, 1, radius);
}

/** Means over 2·radius + 1 cells along lines; the edges go on. @param {Float32Array} plane @param {number} length @param {number} lines @param {number} step @param {number} stride @param {number} radius */
function along(plane, length, lines, step, stride, radius) {
  const out = new Float32Array(plane.length);
  const window = 2 * radius + 1;
  for (let line = 0; line < lines; line++) {
    const value = (/** @type {number} */ at) => plane[line * stride + Math.min(length - 1, Math.max(0, at)) * step];
    let sum = 0;
    for (let at = -radius; at <= radius; at++) sum += value(at);
    for (let at = 0; at < length; at++) {
      out[line * stride + at * step] = sum / window;
      sum += value(at + radius + 1) - value(at - radius);
    }
  }
  return out;
}

/** @param {Float32Array} plane @param {number} width @param {number} height @param {number} across @param {number} down */
function sized(plane, width, height, across, down) {
  if (across === width && down === height) return plane;
  const out = new Float32Array(across * down);
  for (let y = 0; y < down; y++) {
    const row = Math.min(height - 1, Math.max(0, ((y + 0.5) * height) / down - 0.5));
    const top = Math.floor(row);
    const bottom = Math.min(height - 1, top + 1);
    for (let x = 0; x < across; x++) {
      const column = Math.min(width - 1, Math.max(0, ((x + 0.5) * width) / across - 0.5));
      const left = Math.floor(column);
      const right = Math.min(width - 1, left + 1);
      const upper = plane[top * width + left] + (plane[top * width + right] - plane[top * width + left]) * (column - left);
      const lower = plane[bottom * width + left] + (plane[bottom * width + right] - plane[bottom * width + left]) * (column - left);
      out[y * across + x] = upper + (lower - upper) * (row - top);
    }
  }
  return out;
}

/** @param {Cells["small"]} small @param {number} width @param {number} height */
function shares(small, width, height) {
  /** @type {Float32Array} */
  const whole = Float32Array.from(small.bytes, (byte) => byte / 255);
  // Cells are at most as many as the small mask's: halve first, so that each is a mean.
  let [plane, w, h] = [whole, small.width, small.height];
  while (w >= 2 * width) {
    const [across, down] = [Math.ceil(w / 2), Math.ceil(h / 2)];
    plane = sized(plane, w, h, across, down);
    [w, h] = [across, down];
  }
  return sized(plane, w, h, width, height);
}
