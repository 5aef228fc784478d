/** The photo itself as its subject's ground, blurred (`services/imaging/ground.py`). */
import { blur } from "./shadow.js";

/** @typedef {import("./small.js").SmallMask} SmallMask */

/** The blur's sigma at 100, as a share of the photo's longer side; as on the server. */
const BLUR = 0.05;
const SMALL_SIGMA = 4;
const RIM = 0.004;
const KNOWN_SHARE = 0.25;
/** px along the longer side in which a blurred ground is made. */
const LONGEST = 640;

/**
 * The photo without its subject, blurred by 0 to 100: what was behind the subject is filled from its surroundings.
 * @param {CanvasImageSource} photo @param {SmallMask} small @param {number} amount @returns {HTMLCanvasElement}
 */
export function blurredGround(photo, small, amount) {
  const { mask } = small;
  const longer = Math.max(mask.width, mask.height);
  const sigma = ((BLUR * amount) / 100) * longer;
  const step = Math.max(1, sigma / SMALL_SIGMA, longer / LONGEST);
  const width = Math.max(1, Math.round(mask.width / step));
  const height = Math.max(1, Math.round(mask.height / step));
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  drawSmall(context, photo, width, height);
  const image = context.getImageData(0, 0, width, height);
  const bare = bareShares(small, width, height, Math.round(Math.min(RIM * Math.max(width, height), 2 * (sigma / step))));
  for (let channel = 0; channel < 3; channel++) {
    const plane = Float32Array.from(bare, (share, n) => share * image.data[4 * n + channel]);
    const filled = fill(plane, bare, width, height);
    const soft = amount ? mirroredBlur(filled, width, height, sigma / step) : filled;
    for (let n = 0; n < soft.length; n++) image.data[4 * n + channel] = soft[n];
  }
  for (let n = 3; n < image.data.length; n += 4) image.data[n] = 255;
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Draw a photo small in steps of one half, so that each px is a mean. @param {CanvasRenderingContext2D} context @param {CanvasImageSource} photo @param {number} width @param {number} height */
function drawSmall(context, photo, width, height) {
  context.imageSmoothingQuality = "high";
  context.drawImage(photo, 0, 0, width, height);
}

/** How much of each px is not subject, 0 to 1; the subject's rim is left out. @param {SmallMask} small @param {number} width @param {number} height @param {number} rim */
function bareShares(small, width, height, rim) {
  const bare = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = Math.min(small.height - 1, Math.floor(((y + 0.5) * small.height) / height)) * small.width;
    for (let x = 0; x < width; x++) {
      bare[y * width + x] = 1 - small.bytes[row + Math.min(small.width - 1, Math.floor(((x + 0.5) * small.width) / width))] / 255;
    }
  }
  const known = rim ? eroded(eroded(bare, width, height, rim, 1, width), height, width, rim, width, 1) : bare;
  // A photo that is subject everywhere is blurred as it is.
  return known.some((share) => share > 0) ? known : known.fill(1);
}

/** The least of each px and its neighbours along one axis. @param {Float32Array} plane @param {number} length @param {number} lines @param {number} reach @param {number} step @param {number} stride */
function eroded(plane, length, lines, reach, step, stride) {
  const out = new Float32Array(plane.length);
  for (let line = 0; line < lines; line++) {
    for (let at = 0; at < length; at++) {
      let least = 1;
      for (let k = Math.max(0, at - reach); k <= Math.min(length - 1, at + reach); k++) least = Math.min(least, plane[line * stride + k * step]);
      out[line * stride + at * step] = least;
    }
  }
  return out;
}

/**
 * A plane with its surroundings' values where nothing is known (pull and push, Gortler et al., 1996).
 * @param {Float32Array} total multiplied by the weight @param {Float32Array} weight 0 to 1 @param {number} width @param {number} height @returns {Float32Array}
 */
export function fill(total, weight, width, height) {
  if (Math.max(width, height) === 1) return total.map((value, n) => value / Math.max(weight[n], 1e-6));
  const halfWidth = Math.ceil(width / 2);
  const halfHeight = Math.ceil(height / 2);
  const [sums, shares] = [total, weight].map((plane) => halved(plane, width, height));
  const known = shares.map((share) => Math.min(1, share / KNOWN_SHARE));
  const coarse = fill(sums.map((sum, n) => (sum * known[n]) / (shares[n] + 1e-6)), known, halfWidth, halfHeight);
  return total.map((value, n) => {
    const missing = 1 - weight[n];
    if (missing <= 0) return value;
    const x = ((n % width) + 0.5) / 2 - 0.5;
    const y = (Math.floor(n / width) + 0.5) / 2 - 0.5;
    return value + missing * between(coarse, halfWidth, halfHeight, x, y);
  });
}

/** @param {Float32Array} plane @param {number} width @param {number} height */
function halved(plane, width, height) {
  const across = Math.ceil(width / 2);
  const out = new Float32Array(across * Math.ceil(height / 2));
  for (let n = 0; n < out.length; n++) {
    const x = 2 * (n % across);
    const y = 2 * Math.floor(n / across);
    const right = Math.min(width - 1, x + 1);
    const bottom = Math.min(height - 1, y + 1) * width;
    out[n] = (plane[y * width + x] + plane[y * width + right] + plane[bottom + x] + plane[bottom + right]) / 4;
  }
  return out;
}

/** @param {Float32Array} plane @param {number} width @param {number} height @param {number} x @param {number} y */
function between(plane, width, height, x, y) {
  const left = Math.min(width - 1, Math.max(0, Math.floor(x)));
  const top = Math.min(height - 1, Math.max(0, Math.floor(y)));
  const right = Math.min(width - 1, left + 1);
  const bottom = Math.min(height - 1, top + 1);
  const across = Math.min(1, Math.max(0, x - left));
  const down = Math.min(1, Math.max(0, y - top));
  const upper = plane[top * width + left] * (1 - across) + plane[top * width + right] * across;
  const lower = plane[bottom * width + left] * (1 - across) + plane[bottom * width + right] * across;
  return upper * (1 - down) + lower * down;
}

/** Blur a plane whose edges go on as their mirror. @param {Float32Array} plane @param {number} width @param {number} height @param {number} sigma */
function mirroredBlur(plane, width, height, sigma) {
  const reach = Math.ceil(4 * sigma);
  const wide = width + 2 * reach;
  const high = height + 2 * reach;
  const mirrored = new Float32Array(wide * high);
  for (let y = 0; y < high; y++) {
    const row = mirror(y - reach, height) * width;
    for (let x = 0; x < wide; x++) mirrored[y * wide + x] = plane[row + mirror(x - reach, width)];
  }
  const soft = blur(mirrored, wide, high, sigma, sigma);
  const out = new Float32Array(plane.length);
  for (let y = 0; y < height; y++) out.set(soft.subarray((y + reach) * wide + reach, (y + reach) * wide + reach + width), y * width);
  return out;
}

/** @param {number} at @param {number} length */
function mirror(at, length) {
  const turn = 2 * length;
  const place = ((at % turn) + turn) % turn;
  return place < length ? place : turn - 1 - place;
}
