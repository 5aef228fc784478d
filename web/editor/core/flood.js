/** The magic wand: pixels of a similar colour in OKLab (Ottosson 2020), contiguous or everywhere. */

const ROOTS = 16384;
const SCALE = 250;
const LINEAR = Float32Array.from({ length: 256 }, (_, i) => {
  const v = i / 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
});
const ROOT = Float32Array.from({ length: ROOTS + 1 }, (_, i) => Math.cbrt(i / ROOTS));

/** @param {number} value -128..127 */
const whole = (value) => ((value + 128.5) | 0) - 128;

/** @typedef {{width: number, height: number, l: Int8Array, a: Int8Array, b: Int8Array}} Planes */

/** Return a photo's colours as bytes: lightness and two opponent colours, 1/250 each. @param {Uint8Array | Uint8ClampedArray} rgba
 * @param {number} width @param {number} height @param {Planes} [into] @param {number} [row] first row of `into` @returns {Planes} */
export function oklab(rgba, width, height, into, row = 0) {
  const planes = into ?? emptyPlanes(width, height);
  for (let i = 0, to = row * width; i < width * height; i++, to++) {
    const r = LINEAR[rgba[4 * i]];
    const g = LINEAR[rgba[4 * i + 1]];
    const b = LINEAR[rgba[4 * i + 2]];
    const l = ROOT[((0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) * ROOTS + 0.5) | 0];
    const m = ROOT[((0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) * ROOTS + 0.5) | 0];
    const s = ROOT[((0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) * ROOTS + 0.5) | 0];
    planes.l[to] = whole(SCALE * (0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s) - SCALE / 2);
    planes.a[to] = whole(SCALE * (1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s));
    planes.b[to] = whole(SCALE * (0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s));
  }
  return planes;
}

/** @param {number} width @param {number} height @returns {Planes} */
export function emptyPlanes(width, height) {
  const make = () => new Int8Array(width * height);
  return { width, height, l: make(), a: make(), b: make() };
}

/** Return 255 where the colour is like that of the pixel at x, y. @param {Planes} planes @param {number} x @param {number} y
 * @param {{tolerance: number, contiguous: boolean}} how tolerance 0..100: half of OKLab's distance in percent */
export function flood(planes, x, y, { tolerance, contiguous }) {
  const like = matcher(planes, y * planes.width + x, tolerance);
  return contiguous ? connected(planes, x, y, like) : everywhere(planes, like);
}

/** @param {Planes} planes @param {number} seed @param {number} tolerance */
function matcher({ l, a, b }, seed, tolerance) {
  const limit = (tolerance * SCALE * 0.005) ** 2 + 0.5;
  const [l0, a0, b0] = [l[seed], a[seed], b[seed]];
  return (/** @type {number} */ i) => {
    const dl = l[i] - l0;
    const da = a[i] - a0;
    const db = b[i] - b0;
    return dl * dl + da * da + db * db <= limit;
  };
}

/** @param {Planes} planes @param {(i: number) => boolean} like */
function everywhere({ width, height }, like) {
  const found = new Uint8Array(width * height);
  for (let i = 0; i < found.length; i++) if (like(i)) found[i] = 255;
  return found;
}

/** Fill spans row by row. @param {Planes} planes @param {number} x @param {number} y @param {(i: number) => boolean} like */
function connected({ width, height }, x, y, like) {
  const found = new Uint8Array(width * height);
  const stack = [y * width + x];
  for (let seed; (seed = stack.pop()) !== undefined; ) {
    if (found[seed]) continue;
    const start = seed - (seed % width);
    let from = seed;
    let to = seed + 1;
    while (from > start && !found[from - 1] && like(from - 1)) from--;
    while (to < start + width && !found[to] && like(to)) to++;
    found.fill(255, from, to);
    for (const step of [-width, width]) {
      if (start + step < 0 || start + step >= width * height) continue;
      for (let i = from + step, inside = false; i < to + step; i++) {
        const open = !found[i] && like(i);
        if (open && !inside) stack.push(i);
        inside = open;
      }
    }
  }
  return found;
}
