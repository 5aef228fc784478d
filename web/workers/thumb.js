// Small pictures away from the page's thread: of a photo, or of a photo cut out by its matte.
const WIDTH = 320;

/** @param {Blob} blob @param {number} width */
function decoded(blob, width) {
  return createImageBitmap(blob, { resizeWidth: width, resizeQuality: "medium" });
}

/** @param {ImageBitmap} picture @param {number} width @param {number} height */
function drawn(picture, width, height) {
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true }));
  context.drawImage(picture, 0, 0, width, height);
  picture.close();
  return context;
}

/** @param {Blob} photo @param {Blob|undefined} matte */
async function thumb(photo, matte) {
  const picture = await decoded(photo, WIDTH);
  const { width, height } = picture;
  const context = drawn(picture, width, height);
  if (matte) {
    const colours = context.getImageData(0, 0, width, height);
    const grey = drawn(await decoded(matte, width), width, height).getImageData(0, 0, width, height).data;
    for (let at = 0; at < grey.length; at += 4) colours.data[at + 3] = grey[at];
    context.putImageData(colours, 0, 0);
  }
  return context.canvas.convertToBlob({ type: "image/webp", quality: 0.85 });
}

/** A smaller copy of a photo, for a server that takes fewer pixels or bytes. @param {Blob} photo @param {number} pixels */
async function smaller(photo, pixels) {
  const picture = await createImageBitmap(photo);
  const share = Math.min(1, Math.sqrt(pixels / (picture.width * picture.height)));
  const context = drawn(picture, Math.floor(picture.width * share), Math.floor(picture.height * share));
  return context.canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}

self.addEventListener("message", async ({ data: { id, photo, matte, pixels } }) => {
  try {
    self.postMessage({ id, blob: await (pixels ? smaller(photo, pixels) : thumb(photo, matte)) });
  } catch {
    // The browser can't decode it (HEIC, TIFF), or it is damaged.
    self.postMessage({ id, blob: null });
  }
});
