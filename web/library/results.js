// The results: downloaded one by one, and made again with other options.
import * as api from "../app/api.js";
import { notify } from "../app/announce.js";
import { get } from "../app/db.js";
import { t } from "../app/i18n/index.js";
import { itemUrl } from "../app/photos.js";
import { dispatch, maskOf, patch, peek, photoOf, together } from "../app/store.js";
import { keepResult } from "./direct.js";
import { errorText } from "./failures.js";
import { resultName } from "./names.js";
import { docError, passes, waitFor } from "./pace.js";
import { remade } from "./progress.js";
import { isCurrent, optionsForCompose, remake } from "./remake.js";

/** @typedef {import("../app/store.js").Doc} Doc */

/** The picture as the server makes it, with the document's mask and options. @param {string} id @returns {Promise<Blob>} */
export async function resultBlob(id) {
  const doc = /** @type {Doc} */ (peek(id));
  if (doc.job && isCurrent(doc)) return (await api.request(itemUrl(doc.job, "download"))).blob();
  const kept = (await get("photos", id))?.result;
  const mask = await maskOf(id);
  const key = `${JSON.stringify(doc.options)}/${doc.ground?.size ?? ""}/${mask.size}/${doc.edit?.revision ?? 0}`;
  if (kept?.key === key) return kept.blob;
  for (let tries = 0; ; tries += 1) {
    try {
      const { blob } = await api.compose(await photoOf(id), doc.name, mask, { ...optionsForCompose(doc), background_image: doc.ground });
      await keepResult(id, key, blob);
      return blob;
    } catch (error) {
      if (!passes(error)) throw error;
      await waitFor(error, tries);
    }
  }
}

/** Save one result. @param {string} id */
export async function downloadOne(id) {
  const doc = /** @type {Doc} */ (peek(id));
  try {
    saveBlob(await resultBlob(id), resultName(doc));
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

/** Give photos these options; results that are ready are composed again from the same mask. @param {string[]} ids @param {import("../app/store.js").Options} change */
export async function applyOptions(ids, change) {
  /** @type {string[]} */
  const queue = [];
  together(() => ids.forEach((id) => {
    const doc = peek(id);
    if (!doc) return;
    const options = Object.fromEntries(Object.entries({ ...doc.options, ...change }).filter(([, value]) => value !== ""));
    // A colour takes the place of an own picture.
    patch(id, { options, ground: change.background ? undefined : doc.ground });
    if (doc.state === "completed" && doc.job && !isCurrent({ ...doc, options })) queue.push(id);
  }));
  if (!queue.length) return;
  count(0, queue.length);
  await Promise.all(Array.from({ length: REWORK_AT_ONCE }, async () => {
    for (let id = queue.shift(); id; id = queue.shift()) {
      await rework(id);
      count(1, 0);
    }
  }));
}

/** Count results that are made again, those of several changes together. @param {number} more @param {number} of */
function count(more, of) {
  const before = remade.peek() ?? { done: 0, of: 0 };
  const now = { done: before.done + more, of: before.of + of };
  remade.value = now.done < now.of ? now : undefined;
}

/** Make a job's result again with the document's options. @param {string} id */
async function rework(id) {
  try {
    await remake(id);
  } catch (error) {
    dispatch(id, { type: "fail", error: docError(error) });
  }
}
