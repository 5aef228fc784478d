// Test data that is the same on every run.

/** @param {number} count @param {number} [seed] */
export function noise(count, seed = 1) {
  const bytes = new Uint8Array(count);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** A matte: an ellipse with a soft edge. @param {number} width @param {number} height @param {number} [edge] px */
export function softEllipse(width, height, edge = 3) {
  const bytes = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const far = Math.hypot((x - width / 2) / (width / 3), (y - height / 2) / (height / 3));
      bytes[y * width + x] = Math.max(0, Math.min(255, 128 + ((1 - far) * height * 128) / 3 / edge));
    }
  return bytes;
}

/** Deflate without a worker, as the tests use it. @param {Uint8Array} bytes */
export { deflate } from "../../../web/editor/core/streams.js";

/** Grow a stroke along points. @param {any} stroke @param {{x: number, y: number}[]} points */
export function paint(stroke, points) {
  for (const point of points) stroke.to(point);
}
