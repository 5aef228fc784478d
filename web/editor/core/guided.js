/** The guided filter with colours (He, Sun and Tang 2013; on a coarse grid as in He and Sun 2015), guided by known pixels. */

import { boxSums } from "./blur.js";

/** @typedef {{rgb: Uint8Array | Uint8ClampedArray, width: number, height: number}} Photo 4 bytes a pixel */
/** @typedef {{width: number, height: number, w: Float32Array, r: Float32Array, g: Float32Array, b: Float32Array, p: Float32Array}} Cells */

/** Return levels that follow the photo's colours: local linear models of the colour, fitted to the known pixels,
 * whose own levels stay.
 * @param {Photo} photo @param {Uint8Array} levels @param {Uint8Array | null} known 1 where a level is sure; null: everywhere
 * @param {{radius: number, epsilon?: number}} how radius in px; epsilon in squared colour, 0..1
 * @returns {Uint8Array} */
export function guidedFilter(photo, levels, known, { radius, epsilon = 1e-4 }) {
  const step = Math.max(1, Math.min(8, Math.floor(radius / 6)));
  const cells = coarse(photo, levels, known, step);
  const box = (/** @type {Float32Array} */ a) => boxSums(a, cells.width, cells.height, Math.max(1, Math.round(radius / step)));
  const fits = solve(moments(cells, box), epsilon).map(box);
  for (const fit of fits.slice(0, 4)) for (let i = 0; i < fit.length; i++) fit[i] /= fits[4][i];
  return apply(photo, known ? { levels, known } : null, fits, { ...cells, step });
}

/** Return the means of cells of step × step pixels; levels and colours by their weight.
 * @param {Photo} photo @param {Uint8Array} levels @param {Uint8Array | null} known @param {number} step @returns {Cells} */
function coarse({ rgb, width, height }, levels, known, step) {
  const [across, down] = [Math.ceil(width / step), Math.ceil(height / step)];
  const make = () => new Float32Array(across * down);
  const cells = { width: across, height: down, w: make(), r: make(), g: make(), b: make(), p: make() };
  const { w, r, g, b, p } = cells;
  for (let y = 0, i = 0; y < height; y++)
    for (let to = Math.floor(y / step) * across, end = i + width; i < end; to++) {
      let sum = w[to];
      let red = r[to];
      let green = g[to];
      let blue = b[to];
      let level = p[to];
      for (const stop = Math.min(end, i + step); i < stop; i++) {
        const weight = known && !known[i] ? 1e-4 : 1;
        sum = Math.fround(sum + weight);
        red = Math.fround(red + weight * rgb[4 * i]);
        green = Math.fround(green + weight * rgb[4 * i + 1]);
        blue = Math.fround(blue + weight * rgb[4 * i + 2]);
        level = Math.fround(level + weight * levels[i]);
      }
      w[to] = sum;
      r[to] = red;
      g[to] = green;
      b[to] = blue;
      p[to] = level;
    }
  for (let i = 0; i < w.length; i++) for (const plane of [r, g, b, p]) plane[i] /= 255 * w[i];
  return cells;
}

/** @param {Cells} cells @param {(plane: Float32Array) => Float32Array} box @returns {{[moment: string]: Float32Array}} */
function moments({ w, r, g, b, p }, box) {
  const [wr, wg, wb] = [multiply(w, r), multiply(w, g), multiply(w, b)];
  const sum = (/** @type {Float32Array} */ one, /** @type {Float32Array} */ other) => box(multiply(one, other));
  return {
    n: box(w), r: box(wr), g: box(wg), b: box(wb), p: sum(w, p),
    rr: sum(wr, r), rg: sum(wr, g), rb: sum(wr, b), gg: sum(wg, g), gb: sum(wg, b), bb: sum(wb, b),
    rp: sum(wr, p), gp: sum(wg, p), bp: sum(wb, p),
  };
}

/** @param {Float32Array} a @param {Float32Array} b */
function multiply(a, b) {
  const out = new Float32Array(a.length);
  for (let i = 0; i < out.length; i++) out[i] = a[i] * b[i];
  return out;
}

/** Return each window's model (three slopes and an offset) times its trust, and its trust.
 * @param {{[moment: string]: Float32Array}} m @param {number} epsilon */
function solve(m, epsilon) {
  const out = Array.from({ length: 5 }, () => new Float32Array(m.n.length));
  for (let i = 0; i < m.n.length; i++) {
    const n = m.n[i];
    const [r, g, b, p] = [m.r[i] / n, m.g[i] / n, m.b[i] / n, m.p[i] / n];
    const [rr, gg, bb] = [m.rr[i] / n - r * r + epsilon, m.gg[i] / n - g * g + epsilon, m.bb[i] / n - b * b + epsilon];
    const [rg, rb, gb] = [m.rg[i] / n - r * g, m.rb[i] / n - r * b, m.gb[i] / n - g * b];
    const [rp, gp, bp] = [m.rp[i] / n - r * p, m.gp[i] / n - g * p, m.bp[i] / n - b * p];
    const c0 = gg * bb - gb * gb;
    const c1 = gb * rb - rg * bb;
    const c2 = rg * gb - gg * rb;
    const scale = 1 / (rr * c0 + rg * c1 + rb * c2);
    const ar = (c0 * rp + c1 * gp + c2 * bp) * scale;
    const ag = (c1 * rp + (rr * bb - rb * rb) * gp + (rg * rb - rr * gb) * bp) * scale;
    const ab = (c2 * rp + (rg * rb - rr * gb) * gp + (rr * gg - rg * rg) * bp) * scale;
    // A window with levels of both sides knows the edge; one with a single level only repeats it.
    const trust = n * (0.02 + p * (1 - p));
    out[0][i] = trust * ar;
    out[1][i] = trust * ag;
    out[2][i] = trust * ab;
    out[3][i] = trust * (p - ar * r - ag * g - ab * b);
    out[4][i] = trust;
  }
  return out;
}

/** Return the models' levels at every pixel that is not known, the models interpolated between cells.
 * @param {Photo} photo @param {{levels: Uint8Array, known: Uint8Array} | null} sure @param {Float32Array[]} fits
 * @param {{width: number, height: number, step: number}} cells */
function apply({ rgb, width, height }, sure, [ar, ag, ab, c], cells) {
  const out = sure ? sure.levels.slice() : new Uint8Array(width * height);
  const [lefts, shares] = between(width, cells.step, cells.width);
  const [tops, parts] = between(height, cells.step, cells.height);
  // Four numbers a cell: the models of a row of pixels; the last cell twice.
  const row = new Float64Array(4 * cells.width + 4);
  for (let y = 0, i = 0; y < height; y++) {
    const part = parts[y];
    for (let x = 0, at = 0; x <= cells.width; x++) {
      const one = tops[y] * cells.width + Math.min(x, cells.width - 1);
      const other = tops[y] < cells.height - 1 ? one + cells.width : one;
      row[at++] = ar[one] + part * (ar[other] - ar[one]);
      row[at++] = ag[one] + part * (ag[other] - ag[one]);
      row[at++] = ab[one] + part * (ab[other] - ab[one]);
      row[at++] = c[one] + part * (c[other] - c[one]);
    }
    for (let x = 0; x < width; x++, i++) {
      if (sure?.known[i]) continue;
      const share = shares[x];
      const at = 4 * lefts[x];
      const r = row[at] + share * (row[at + 4] - row[at]);
      const g = row[at + 1] + share * (row[at + 5] - row[at + 1]);
      const b = row[at + 2] + share * (row[at + 6] - row[at + 2]);
      const offset = row[at + 3] + share * (row[at + 7] - row[at + 3]);
      const level = r * rgb[4 * i] + g * rgb[4 * i + 1] + b * rgb[4 * i + 2] + 255 * offset;
      out[i] = level > 0 ? Math.min(255, level + 0.5) : 0;
    }
  }
  return out;
}

/** Return for each pixel the cell whose middle is before it, and its share of the way to the next one's.
 * @param {number} length px @param {number} step @param {number} count of cells @returns {[Int32Array, Float64Array]} */
function between(length, step, count) {
  const at = Float64Array.from({ length }, (_, n) => Math.max(0, (n + 0.5) / step - 0.5));
  const cells = Int32Array.from(at, (place) => Math.min(count - 1, Math.floor(place)));
  return [cells, at.map((place, n) => place - cells[n])];
}
