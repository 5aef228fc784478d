// Makes a job's result again, after its options, its mask or the picture behind it have changed.
import { ApiError, request } from "../app/api.js";
import { itemUrl, maskOf } from "../app/photos.js";
import { dispatch, patch, peek } from "../app/store.js";
import { passes, waitFor } from "./pace.js";
import { renewThumb } from "./thumbs.js";
import { resultOf } from "./watcher.js";

/** @typedef {import("../app/store.js").Doc} Doc */
/** @typedef {import("../app/store.js").Options} Options */

const MOST_CROSSED = 5;
/** Photos whose results are being made. @type {Set<string>} */
const running = new Set();

/** Whether the job's result has the document's options and its last edit. @param {Doc} doc */
export function isCurrent({ job, options, applied, stale }) {
  return Boolean(job) && !stale && same(options, applied);
}

/** Make a job's result again until it is current; waits where the server does not answer. @param {string} id @throws {import("../app/api.js").ApiError} where the server refuses */
export async function remake(id) {
  // The one that runs sends the newest mask and options.
  if (running.has(id)) return;
  running.add(id);
  try {
    for (let doc = peek(id); doc?.job && !isCurrent(doc); doc = peek(id)) {
      dispatch(id, { type: "rework" });
      await attempts(id);
    }
  } finally {
    running.delete(id);
  }
}

/** Make the result again; where the server refuses, the previous one is still there. @param {string} id */
export async function remakeEdit(id) {
  const before = peek(id)?.result;
  try {
    await remake(id);
  } catch (error) {
    if (before && peek(id)?.stage === "compose") dispatch(id, { type: "finish", result: before });
    throw error;
  }
}

/** @param {string} id */
async function attempts(id) {
  for (let tries = 0, doc = peek(id); doc && !isCurrent(doc); tries += 1, doc = peek(id)) {
    try {
      return await once(doc);
    } catch (error) {
      // Another tab makes it again at the same time.
      const crossed = error instanceof ApiError && error.code === "item_changed" && tries < MOST_CROSSED;
      if (!passes(error) && !crossed) throw error;
      await waitFor(error, tries);
    }
  }
}

/** @param {Doc} doc */
async function once(doc) {
  const { id, result, options, stale } = doc;
  const url = itemUrl(/** @type {NonNullable<Doc["job"]>} */ (doc.job), "mask");
  const mask = stale ? await maskOf(id) : await (await request(url)).blob();
  const item = await (await send(url, mask, doc)).json();
  // It is a photo of another job by now.
  if (peek(id)?.job?.item !== doc.job?.item) return;
  patch(id, { applied: options, stale: peek(id)?.stale === stale ? undefined : peek(id)?.stale });
  dispatch(id, { type: "finish", revision: item.revision, result: { ...resultOf(item), confidence: result?.confidence, model: result?.model ?? "" } });
  renewThumb(id);
}

/** @param {string} url @param {Blob} mask @param {Doc} doc */
function send(url, mask, doc) {
  const options = optionsForCompose(doc);
  if (!doc.ground) return request(`${url}?${new URLSearchParams(options)}`, { method: "PUT", body: mask, headers: { "Content-Type": "image/png" } });
  const body = new FormData();
  for (const [name, value] of Object.entries(options)) body.append(name, value);
  body.append("mask", mask, "mask.png");
  body.append("background_image", doc.ground, "background");
  return request(url, { method: "PUT", body });
}

/** The options without those of the model, which has made the mask already. @param {Doc} doc */
export function optionsForCompose({ options }) {
  const { model, prompt, edges, roi, ...rest } = options;
  return rest;
}

/** @param {Options} one @param {Options|undefined} other */
export function same(one, other = {}) {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].every((key) => (one[key] ?? "") === (other[key] ?? ""));
}
