/**
 * Takes an edit back to where the photo came from: the library's downloads and a job's result are made with it.
 */
import { keep, masks, shownOf } from "../app/photos.js";
import { patch, peek } from "../app/store.js";
import { shrink } from "../library/thumbs.js";
import { encode } from "./core/png8.js";

/** @typedef {{[name: string]: string}} Options */

/** The options of a result that is made of photo and mask: those of the model are left out. @param {Options} options @returns {Options} */
export function exportOptions({ model, prompt, edges, roi, output, ...options }) {
  return options;
}

/**
 * Keep a document's mask and options, and make its job's result again.
 * @param {string} id @param {import("./core/mask.js").Mask} edited @param {Options} options
 */
export async function keepEdit(id, edited, options) {
  const mask = await encode(edited);
  await saveMask(id, mask);
  patch(id, { options: { ...modelOptions(peek(id)?.options ?? {}), ...exportOptions(options) }, draft: undefined });
  const doc = peek(id);
  if (!doc) return;
  // A job that still works on the photo ends without the edit: its result is made again then.
  if (doc.job && doc.result) return (await import("../library/remake.js")).remakeEdit(id);
  const thumb = await shrink({ photo: await shownOf(id), matte: mask });
  if (thumb) patch(id, { thumb });
}

/** The options that the model was asked with. @param {Options} options */
function modelOptions({ model, prompt, edges, roi }) {
  const asked = { model, prompt, edges, roi };
  return /** @type {Options} */ (Object.fromEntries(Object.entries(asked).filter(([, value]) => value)));
}

/** Keep an edited mask (8-bit grey PNG of the upright photo's size). @param {string} id @param {Blob} mask */
export async function saveMask(id, mask) {
  if (await keep(id, { mask })) masks.delete(id);
  else masks.set(id, mask);
  const { job, state, stale = 0 } = /** @type {Partial<import("../app/store.js").Doc>} */ (peek(id) ?? {});
  // A result that the server makes, or is about to make, is without it.
  patch(id, job || state !== "completed" ? { stale: stale + 1 } : {});
}
