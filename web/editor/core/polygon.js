/** Outlines to coverage: even-odd, 4×4 samples a pixel. */

import { clip } from "./mask.js";

/** @typedef {[number, number]} Vertex */
/** @typedef {{x: number, y: number, width: number, height: number, bytes: Uint8Array}} Region levels of a rectangle; 0 outside it */

const FINE = 4;

/** Return the coverage of a polygon inside a picture. @param {Vertex[]} path @param {number} width @param {number} height
 * @returns {Region} */
export function fill(path, width, height) {
  const rect = clip(bounds(path), width, height);
  const bytes = new Uint8Array(rect.width * rect.height);
  // How many samples more each pixel of the row has than the one before.
  const steps = new Int16Array(rect.width + 2);
  for (let row = 0; row < rect.height; row++) {
    steps.fill(0);
    for (let line = 0; line < FINE; line++) {
      const crossings = cross(path, rect.y + row + (line + 0.5) / FINE);
      for (let i = 0; i + 1 < crossings.length; i += 2) cover(steps, crossings[i] - rect.x, crossings[i + 1] - rect.x, rect.width);
    }
    for (let i = 0, at = row * rect.width, sum = 0; i < rect.width; i++, at++) {
      sum += steps[i];
      bytes[at] = (sum * 255 + 8) >> 4;
    }
  }
  return { ...rect, bytes };
}

/** Add the samples between two columns. @param {Int16Array} steps @param {number} from @param {number} to @param {number} width */
function cover(steps, from, to, width) {
  const first = Math.max(0, Math.ceil(from * FINE - 0.5));
  const end = Math.min(width * FINE, Math.ceil(to * FINE - 0.5));
  if (first >= end) return;
  // From each end on, every pixel has four samples; its own has those to its right.
  for (const [at, sign] of [[first, 1], [end, -1]]) {
    const right = FINE - (at & 3);
    steps[at >> 2] += sign * right;
    steps[(at >> 2) + 1] += sign * (FINE - right);
  }
}

/** @param {Vertex[]} path @param {number} y */
function cross(path, y) {
  const found = [];
  for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
    const [ax, ay] = path[j];
    const [bx, by] = path[i];
    if (ay <= y !== by <= y) found.push(ax + ((y - ay) / (by - ay)) * (bx - ax));
  }
  return found.sort((a, b) => a - b);
}

/** @param {Vertex[]} path */
export function bounds(path) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of path) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return path.length ? { x: left, y: top, width: right - left, height: bottom - top } : { x: 0, y: 0, width: 0, height: 0 };
}

/** @param {Vertex} a @param {Vertex} b @returns {Vertex[]} */
export function rectangle([ax, ay], [bx, by]) {
  return [[ax, ay], [bx, ay], [bx, by], [ax, by]];
}

/** @param {Vertex} a @param {Vertex} b corners of the box around it @returns {Vertex[]} */
export function ellipse([ax, ay], [bx, by]) {
  const [rx, ry] = [(bx - ax) / 2, (by - ay) / 2];
  const count = Math.max(16, Math.min(720, Math.ceil(4 * Math.sqrt(Math.max(Math.abs(rx), Math.abs(ry))) * Math.PI)));
  return Array.from({ length: count }, (_, i) => {
    const turn = (2 * Math.PI * i) / count;
    return [ax + rx + rx * Math.cos(turn), ay + ry + ry * Math.sin(turn)];
  });
}

/** Return fewer vertices, none of the others further away than that (Douglas and Peucker 1973).
 * @param {Vertex[]} path @param {number} tolerance px @returns {Vertex[]} */
export function simplify(path, tolerance) {
  const keep = new Uint8Array(path.length);
  keep[0] = keep[path.length - 1] = 1;
  const parts = [[0, path.length - 1]];
  for (let part; (part = parts.pop()); ) {
    const [from, to] = part;
    let most = tolerance;
    let at = 0;
    for (let i = from + 1; i < to; i++) {
      const far = distance(path[i], path[from], path[to]);
      if (far > most) [most, at] = [far, i];
    }
    if (at) {
      keep[at] = 1;
      parts.push([from, at], [at, to]);
    }
  }
  return path.filter((_, i) => keep[i]);
}

/** @param {Vertex} p @param {Vertex} a @param {Vertex} b */
function distance([px, py], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const square = dx * dx + dy * dy;
  const t = square ? Math.max(0, Math.min(1, ((px - ax) * dx + (py - ay) * dy) / square)) : 0;
  return Math.hypot(px - ax - t * dx, py - ay - t * dy);
}
