// The results: downloaded one by one, and made again with other options.
import * as api from "../app/api.js";
import { notify } from "../app/announce.js";
import { get } from "../app/db.js";
import { t } from "../app/i18n/index.js";
import { compose } from "../app/model.js";
import { hasPhoto, itemUrl, keep, maskOf, photoOf } from "../app/photos.js";
import { dispatch, patch, peek, together } from "../app/store.js";
import { TAB } from "../app/tabs.js";
import { errorText } from "./failures.js";
import { resultName } from "./names.js";
import { GONE, ownError, passes, waitFor } from "./pace.js";
import { remade } from "./overview.js";
import { isCurrent, optionsForCompose, remakeEdit } from "./remake.js";
import { pump } from "./sender.js";

/** @typedef {import("../app/store.js").Doc} Doc */
/** @typedef {import("../app/store.js").Options} Options */

/** Options of which a photo has one at most. */
const GROUNDS = ["background", "background_gradient", "background_blur"];

/** The picture as the server makes it, with the document's mask and options. @param {string} id @returns {Promise<Blob>} */
export async function resultBlob(id) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await made(id);
    } catch (error) {
      if (api.isGone(error) && !(await hasPhoto(id))) expire(id);
      if (!passes(error)) throw error;
      await waitFor(error, tries);
    }
  }
}

/** The job's result, otherwise one made of photo and mask: also where the server does not have the job any more. @param {string} id */
async function made(id) {
  const doc = peek(id);
  if (!doc) throw new api.ApiError({ status: 410, code: "photo_gone", text: "" });
  if (doc.job && isCurrent(doc)) {
    try {
      return await (await api.request(itemUrl(doc.job, "download"))).blob();
    } catch (error) {
      if (!api.isGone(error)) throw error;
    }
  }
  const mask = await maskOf(id);
  const key = [JSON.stringify(doc.options), doc.ground && (await digest(doc.ground)), await digest(mask)].join("/");
  const kept = (await get("photos", id))?.result;
  if (kept?.key === key) return kept.blob;
  const { blob } = await compose(await photoOf(id), doc.name, mask, { ...optionsForCompose(doc), background_image: doc.ground });
  // It is composed once.
  await keep(id, { result: { key, blob } });
  return blob;
}

/** A number that differs for different bytes (FNV-1a). @param {Blob} blob */
async function digest(blob) {
  let hash = 0x811c9dc5;
  for (const byte of new Uint8Array(await blob.arrayBuffer())) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

/** Neither the server nor this browser has the photo: it has failed, so that it can be added again. @param {string} id */
function expire(id) {
  if (peek(id)?.state !== "completed") return;
  const error = peek(id)?.job ? ownError("result_expired") : GONE;
  dispatch(id, { type: "rework" });
  dispatch(id, { type: "fail", error });
}

/** Save one result. @param {string} id */
export async function downloadOne(id) {
  const doc = /** @type {Doc} */ (peek(id));
  try {
    const blob = await resultBlob(id);
    saveBlob(blob, resultName(doc, blob.type));
  } catch (error) {
    notify(t("download_failed", { reason: await errorText(error) }));
  }
}

/** @param {Blob} blob @param {string} name */
export function saveBlob(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

const REWORK_AT_ONCE = 2;
/** Photos whose results wait to be made again. @type {string[]} */
let queue = [];

/** Give photos these options, of which "" takes one away; results that are ready are composed again from the same mask. @param {string[]} ids @param {Options} change */
export async function applyOptions(ids, change) {
  const replaced = replacedBy(change);
  together(() => ids.forEach((id) => {
    const doc = peek(id);
    if (!doc) return;
    const own = Object.entries(doc.options).filter(([name]) => !replaced.has(name));
    const options = Object.fromEntries([...own, ...Object.entries(change)].filter(([, value]) => value !== ""));
    patch(id, { options, ground: replaced.has("background") ? undefined : doc.ground });
  }));
  await remakeAll(ids.filter((id) => peek(id)?.state === "completed"));
}

/** Options that the new ones replace: those of the same names; a preset those of all presets, and like a background every other background. @param {Options} change @returns {Set<string>} */
function replacedBy(change) {
  const presets = change.preset ? Object.values(api.facts.peek()?.presets ?? {}) : [];
  return new Set([...Object.keys(change), ...presets.flatMap((one) => Object.keys(api.optionsOf(one))), ...(change.preset || "background" in change ? GROUNDS : [])]);
}

/** Make the results of jobs again that are not as their photos are. @param {string[]} ids */
export async function remakeAll(ids) {
  const old = ids.filter((id) => { const doc = peek(id); return doc?.job && !isCurrent(doc); });
  if (!old.length) return;
  /** @type {unknown[]} */
  const refusals = [];
  queue.push(...old);
  count(0, old.length);
  await Promise.all(Array.from({ length: REWORK_AT_ONCE }, async () => {
    for (let id = queue.shift(); id; id = queue.shift()) {
      await rework(id, refusals);
      count(1, 0);
    }
  }));
  if (refusals.length) notify(t("look_refused", { count: refusals.length, reason: await errorText(refusals[0]) }));
}

/** Leave the results that wait as they are. */
export function stopRemaking() {
  const left = queue;
  queue = [];
  remade.value = undefined;
  together(() => left.forEach(revert));
}

/** The photo gets back the options of its result. @param {string} id */
function revert(id) {
  const { applied, stale } = peek(id) ?? {};
  if (applied && !stale) patch(id, { options: applied });
}

/** Count results that are made again, those of several changes together. @param {number} more @param {number} of */
function count(more, of) {
  const before = remade.peek() ?? { done: 0, of: 0 };
  const now = { done: before.done + more, of: before.of + of };
  remade.value = now.done < now.of ? now : undefined;
}

/** Make a job's result again with the document's options. @param {string} id @param {unknown[]} refusals */
async function rework(id, refusals) {
  try {
    await remakeEdit(id);
  } catch (error) {
    if (!api.isGone(error)) {
      revert(id);
      refusals.push(error);
    } else if (!(await hasPhoto(id))) expire(id);
    else if (peek(id)?.state === "completed") sendAgain(id);
  }
}

/** The photo gets another job, as it was sent at first. @param {string} id */
function sendAgain(id) {
  dispatch(id, { type: "rework" });
  dispatch(id, { type: "rollback" });
  patch(id, { tab: TAB });
  pump();
}
