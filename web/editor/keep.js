/**
 * Takes an edit back to where the photo came from: the library's downloads and a job's result are made with it.
 */
import { request } from "../app/api.js";
import { itemUrl } from "../app/photos.js";
import { dispatch, patch, peek, saveMask, shownOf } from "../app/store.js";
import { renewThumb, shrink } from "../library/thumbs.js";
import { resultOf } from "../library/watcher.js";

/** @typedef {{[name: string]: string}} Options */

/**
 * Keep a document's mask and options, and make its job's result again.
 * @param {string} id @param {Blob} mask @param {Options} options
 */
export async function keepEdit(id, mask, options) {
  await saveMask(id, mask);
  patch(id, { options: { ...modelOptions(peek(id)?.options ?? {}), ...options } });
  const doc = peek(id);
  if (!doc) return;
  if (doc.job && doc.state === "completed") return remake(id, mask, options);
  const thumb = await shrink({ photo: await shownOf(id), matte: mask });
  if (thumb) patch(id, { thumb });
}

/** @param {string} id @param {Blob} mask @param {Options} options */
async function remake(id, mask, options) {
  const doc = /** @type {import("../app/store.js").Doc} */ (peek(id));
  const job = /** @type {NonNullable<typeof doc.job>} */ (doc.job);
  const result = doc.result;
  dispatch(id, { type: "rework" });
  try {
    const url = `${itemUrl(job, "mask")}?${new URLSearchParams(options)}`;
    const answer = await request(url, { method: "PUT", body: mask, headers: { "Content-Type": "image/png" } });
    const item = await answer.json();
    patch(id, { applied: doc.options });
    dispatch(id, { type: "finish", revision: item.revision, result: { ...resultOf(item), confidence: result?.confidence, model: result?.model ?? "" } });
    renewThumb(id);
  } catch (error) {
    // The result of before is still there; the edit is kept here.
    if (result) dispatch(id, { type: "finish", result });
    throw error;
  }
}

/** The options that the model was asked with. @param {Options} options */
function modelOptions({ model, prompt, edges, roi }) {
  const asked = { model, prompt, edges, roi };
  return /** @type {Options} */ (Object.fromEntries(Object.entries(asked).filter(([, value]) => value)));
}
