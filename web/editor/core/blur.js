/** Box means and a blur of three of them. */

/** Write the sums of a window of 2·radius+1 values around each, along rows. @param {Float32Array | Uint8Array} from
 * @param {Float32Array} to @param {number} width @param {number} height @param {number} radius */
function rowSums(from, to, width, height, radius) {
  for (let y = 0; y < height; y++) {
    const at = y * width;
    let sum = 0;
    for (let x = 0; x < Math.min(radius, width); x++) sum += from[at + x];
    for (let x = 0; x < width; x++) {
      if (x + radius < width) sum += from[at + x + radius];
      if (x > radius) sum -= from[at + x - radius - 1];
      to[at + x] = sum;
    }
  }
}

/** Write the sums down the columns. @param {Float32Array} from @param {Float32Array} to @param {number} width
 * @param {number} height @param {number} radius */
function columnSums(from, to, width, height, radius) {
  const sums = new Float64Array(width);
  for (let y = -radius; y < height; y++) {
    const enter = y + radius;
    const leave = y - radius - 1;
    if (enter < height) for (let x = 0, at = enter * width; x < width; x++) sums[x] += from[at + x];
    if (leave >= 0) for (let x = 0, at = leave * width; x < width; x++) sums[x] -= from[at + x];
    if (y >= 0) for (let x = 0, at = y * width; x < width; x++) to[at + x] = sums[x];
  }
}

/** Return the sums of the (2·radius+1)² values around each; outside the picture they are 0.
 * @param {Float32Array | Uint8Array} values @param {number} width @param {number} height @param {number} radius
 * @param {Float32Array} [out] */
export function boxSums(values, width, height, radius, out = new Float32Array(values.length)) {
  const rows = SCRATCH.length >= values.length ? SCRATCH : (SCRATCH = new Float32Array(values.length));
  rowSums(values, rows, width, height, radius);
  columnSums(rows, out, width, height, radius);
  return out;
}
let SCRATCH = new Float32Array(0);

/** Return the levels blurred like a Gaussian; outside the picture they go on as at its edge.
 * @param {Uint8Array} bytes @param {number} width @param {number} height @param {number} sigma px */
export function blur(bytes, width, height, sigma) {
  // Three boxes of this width have the Gaussian's variance.
  const radius = Math.max(1, Math.round((Math.sqrt(4 * sigma * sigma + 1) - 1) / 2));
  const ones = new Float32Array(bytes.length).fill(1);
  const counts = boxSums(ones, width, height, radius);
  /** @type {Float32Array} */
  let values = Float32Array.from(bytes);
  for (let pass = 0; pass < 3; pass++) {
    values = boxSums(values, width, height, radius);
    for (let i = 0; i < values.length; i++) values[i] /= counts[i];
  }
  return Uint8Array.from(values, (value) => Math.floor(value + 0.5));
}
