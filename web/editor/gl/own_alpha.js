/** The photo's own transparency: the server keeps of each pixel at most what the photo has of it. */
import { TILE } from "../core/mask.js";
import { coloursOf } from "../core/pixels.js";

const SMALL = 256;
/** Tiles that are read at a time. */
const AT_ONCE = 16;

/** Return the photo's alpha by the mask's tiles; null for an opaque photo. @param {ImageBitmap} bitmap @param {import("../core/mask.js").Mask} mask */
export async function ownAlpha(bitmap, mask) {
  const { width, height } = mask;
  const read = (/** @type {import("../core/mask.js").Rect} */ rect, size = rect) => alphaOf(coloursOf({ bitmap, width, height }, rect, size));
  if (isOpaque(read({ x: 0, y: 0, width, height }, { x: 0, y: 0, width: SMALL, height: SMALL }))) return null;
  /** @type {(Uint8Array | undefined)[]} */
  const found = [];
  for (let n = 0; n < mask.tiles.length; n++) {
    // The page goes on in between.
    if (n % AT_ONCE === 0) await new Promise((done) => setTimeout(done));
    const rect = mask.tileRect(n);
    const alpha = read(rect);
    if (isOpaque(alpha)) continue;
    const tile = new Uint8Array(TILE * TILE);
    for (let y = 0; y < rect.height; y++) tile.set(alpha.subarray(y * rect.width, (y + 1) * rect.width), y * TILE);
    found[n] = tile;
  }
  return found;
}

/** @param {Uint8ClampedArray} rgba */
function alphaOf(rgba) {
  return Uint8Array.from({ length: rgba.length / 4 }, (_, n) => rgba[4 * n + 3]);
}

/** @param {Uint8Array} alpha */
function isOpaque(alpha) {
  return alpha.every((level) => level === 255);
}
