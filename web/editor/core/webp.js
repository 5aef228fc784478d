/** Whether a WebP file lies turned: its EXIF data says how it is meant to be seen. */

const EXIF = 0x45584946;
/** The old beginning of EXIF data, before its own header. */
const NAME = 0x45786966;
const LITTLE = 0x4949;
const ORIENTATION = 0x0112;

/** @param {Blob} blob @throws {RangeError} for a file that ends early */
export async function isTurned(blob) {
  const view = new DataView(await blob.arrayBuffer());
  for (let at = 12; at + 8 <= view.byteLength; ) {
    if (view.getUint32(at) === EXIF) return orientationAt(view, at + 8) > 1;
    const size = view.getUint32(at + 4, true);
    at += 8 + size + (size % 2);
  }
  return false;
}

/** The orientation, 1 to 8; 1 where nothing is said. @param {DataView} view @param {number} start */
function orientationAt(view, start) {
  const head = view.getUint32(start) === NAME ? start + 6 : start;
  const little = view.getUint16(head) === LITTLE;
  const list = head + view.getUint32(head + 4, little);
  for (let n = view.getUint16(list, little), at = list + 2; n > 0; n--, at += 12) {
    if (view.getUint16(at, little) === ORIENTATION) return view.getUint16(at + 8, little);
  }
  return 1;
}
