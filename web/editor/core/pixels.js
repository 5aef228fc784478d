/** The photo's colours, read from a bitmap. */

/** @typedef {{bitmap: ImageBitmap, width: number, height: number}} Photo `bitmap` may have any size; `width` and `height` are the mask's */

/** @param {number} width @param {number} height */
function canvasOf(width, height) {
  if (typeof OffscreenCanvas === "function") return new OffscreenCanvas(width, height);
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** Return the pixels of a part of the photo, in that size. @param {ImageBitmap} bitmap
 * @param {{x: number, y: number, width: number, height: number}} part @param {number} width @param {number} height */
export function pixels(bitmap, part, width, height) {
  const canvas = canvasOf(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, part.x, part.y, part.width, part.height, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** Return the photo's pixels for a part of the mask, in another size. @param {Photo} photo @param {import("./mask.js").Rect} rect
 * @param {{width: number, height: number}} size */
export function coloursOf({ bitmap, width }, rect, size) {
  const scale = bitmap.width / width;
  return pixels(bitmap, { x: rect.x * scale, y: rect.y * scale, width: rect.width * scale, height: rect.height * scale }, size.width, size.height);
}
