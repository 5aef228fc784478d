/**
 * Takes an edit back to where the photo came from: the library's downloads and a job's result are made with it.
 */
import { effect } from "../vendor/signals/signals-core.js";
import { isOver } from "../app/events.js";
import { docOf, patch, peek, saveMask, shownOf } from "../app/store.js";
import { shrink } from "../library/thumbs.js";

/** @typedef {{[name: string]: string}} Options */

/**
 * Keep a document's mask and options, and make its job's result again.
 * @param {string} id @param {Blob} mask @param {Options} options
 */
export async function keepEdit(id, mask, options) {
  await saveMask(id, mask);
  patch(id, { options: { ...modelOptions(peek(id)?.options ?? {}), ...options }, draft: undefined });
  const doc = peek(id);
  if (!doc) return;
  if (doc.job && doc.result) return remake(id);
  // A job that still works on the photo ends without the edit.
  if (!isOver(doc)) whenOver(id).then(() => peek(id)?.job && remake(id)).catch(() => undefined);
  const thumb = await shrink({ photo: await shownOf(id), matte: mask });
  if (thumb) patch(id, { thumb });
}

/** @param {string} id */
async function remake(id) {
  patch(id, { stale: (peek(id)?.stale ?? 0) + 1 });
  // The list of photos has loaded it.
  return (await import("../library/remake.js")).remakeEdit(id);
}

/** Resolves when nothing more happens to the photo by itself. @param {string} id @returns {Promise<void>} */
function whenOver(id) {
  return new Promise((done) => {
    const stop = effect(() => {
      const doc = docOf(id);
      if (!doc || isOver(doc)) queueMicrotask(() => { stop(); done(); });
    });
  });
}

/** The options that the model was asked with. @param {Options} options */
function modelOptions({ model, prompt, edges, roi }) {
  const asked = { model, prompt, edges, roi };
  return /** @type {Options} */ (Object.fromEntries(Object.entries(asked).filter(([, value]) => value)));
}
