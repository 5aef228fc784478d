// Photos in a ZIP file, unpacked one after another, each no larger than a photo may be.
import { PHOTO_NAME, sniff } from "./intake.js";
import { ownError } from "./pace.js";
import { entriesOf, openEntry } from "../app/unzip.js";

/** @typedef {import("./intake.js").Photo} Photo */

const SKIPPED = /(^|\/)(__MACOSX\/|\.)|\/$/;

/** The photos of an archive; too large ones have an error instead of their bytes. @param {File} archive @param {number} limit @returns {Promise<Photo[]>} */
export async function unzipPhotos(archive, limit) {
  const folder = `${archive.name.replace(/\.zip$/i, "")}/`;
  /** @type {Photo[]} */
  const photos = [];
  for (const entry of await entriesOf(archive)) {
    if (SKIPPED.test(entry.path) || !PHOTO_NAME.test(entry.path)) continue;
    const parts = entry.path.split("/");
    const name = /** @type {string} */ (parts.pop());
    const path = folder + parts.map((part) => `${part}/`).join("");
    const large = entry.size > limit;
    // A damaged photo keeps none of the others out.
    const opened = large ? undefined : await openEntry(archive, entry).catch(() => undefined);
    const blob = opened ?? new Blob();
    const { kind, ...size } = sniff(await blob.slice(0, 65536).arrayBuffer());
    const code = large ? "upload_too_large" : !opened ? "bad_entry" : kind === "empty" ? "empty_image" : kind === "other" ? "unsupported_format" : undefined;
    const error = code ? ownError(code) : undefined;
    photos.push({ name, path, blob, type: blob.type, modified: entry.modified, ...size, error });
  }
  return photos;
}
