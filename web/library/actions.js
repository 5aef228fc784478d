// What a person does with photos: take in, open, download, change, remove.
import * as api from "../app/api.js";
import { say } from "../app/announce.js";
import { get } from "../app/db.js";
import { isOver } from "../app/events.js";
import { facts, knownFacts } from "../app/facts.js";
import { t } from "../app/i18n/index.js";
import { itemUrl } from "../app/photos.js";
import { go } from "../app/router.js";
import { add, all, dispatch, forget, maskOf, patch, peek, photoOf, photos as photoBlobs, together } from "../app/store.js";
import { TAB } from "../app/tabs.js";
import { signal } from "../vendor/signals/signals-core.js";
import { defaults, restoreDefaults } from "./defaults.js";
import { keepResult } from "./direct.js";
import { examine, identity } from "./intake.js";
import { resultName } from "./names.js";
import { docError, passes, waitFor } from "./pace.js";
import { isCurrent, optionsForCompose, remake } from "./remake.js";
import { cancel, keepWaiting, pump } from "./sender.js";
import { shrink } from "./thumbs.js";

/** @typedef {import("../app/store.js").Doc} Doc */

/** What was left out of the last intake. */
export const leftOut = signal(/** @type {{others: string[], twice: number}|undefined} */ (undefined));
/** Errors of photos whose bytes are missing. */
const LOST = new Set(["photo_gone", "result_expired"]);
/** Files that are being looked into. */
export const looking = signal(0);

/** Take files in. One photo goes straight to the model and opens; several become jobs. @param {import("./intake.js").Found[]} found */
export async function takeIn(found) {
  if (!found.length) return;
  looking.value += found.length;
  try {
    const known = await knownFacts();
    await restoreDefaults();
    const here = new Map(all().map((doc) => [identity(doc, doc.bytes), doc]));
    const lost = new Map([...here].filter(([, doc]) => doc.state === "failed" && LOST.has(doc.error?.code ?? "")));
    const { photos: taken, others, twice } = await examine(found, known, new Set([...here.keys()].filter((key) => !lost.has(key))));
    leftOut.value = others.length || twice ? { others, twice } : undefined;
    const photos = taken.filter((photo) => !bringBack(photo, lost));
    if (!photos.length) {
      if (taken.length) pump();
      else say(t("nothing_added"));
      return;
    }
    const single = photos.length === 1 && !photos[0].error && !all().some((doc) => !isOver(doc));
    const docs = add(photos.map((photo) => ({ ...photo, options: { ...defaults.peek() }, direct: single || undefined })));
    say(t("added", { count: docs.length }));
    keepWaiting(docs.map((doc) => doc.id));
    pump();
    if (single) openEditorOf(docs[0].id);
  } finally {
    looking.value -= found.length;
  }
}

/** The bytes of a photo that was lost are here once more: it goes on. @param {import("./intake.js").Photo} photo @param {Map<string, Doc>} lost */
function bringBack(photo, lost) {
  const doc = lost.get(identity(photo, photo.blob.size));
  if (!doc) return false;
  photoBlobs.set(doc.id, photo.blob);
  patch(doc.id, { tab: TAB });
  dispatch(doc.id, { type: "retry" });
  keepWaiting([doc.id]);
  return true;
}

/** @param {string} id */
export function openEditorOf(id) {
  go({ name: "edit", id });
}

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
    say(t("download_failed", { reason: docError(error).text }));
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

/** Remove photos from the page, and their jobs' images from the server where the whole job goes. @param {string[]} ids */
export async function removePhotos(ids) {
  await cancel(ids);
  await forget(ids);
  pump();
}

/** Stop everything that has not ended. */
export async function cancelAll() {
  const open = all().filter((doc) => !isOver(doc)).map((doc) => doc.id);
  await cancel(open);
  say(t("cancelled_all", { count: open.length }));
}

/** Delete everything, on the server too. */
export async function deleteAll() {
  const docs = all();
  await cancelAll();
  const jobs = [...new Set(docs.flatMap((doc) => (doc.job ? [doc.job.id] : [])))];
  await Promise.all(jobs.map((id) => api.request(`/api/jobs/${id}`, { method: "DELETE" }).catch(() => undefined)));
  await forget(docs.map((doc) => doc.id));
  leftOut.value = undefined;
  say(t("deleted"));
}

/** A smaller copy where the photo is too large, then once more. @param {string} id */
export async function shrinkAndRetry(id) {
  const known = facts.peek();
  const doc = peek(id);
  if (!known || !doc) return;
  // As JPEG a pixel takes less than two bytes.
  const pixels = Math.min(known.limits.pixels, known.limits.bytes / 2);
  const blob = await shrink({ photo: await photoOf(id), pixels });
  if (!blob) return;
  await forget([id]);
  const [made] = add([{ name: doc.name.replace(/\.[^.]+$/, "") + ".jpg", path: doc.path, blob, type: "image/jpeg", modified: doc.modified, options: doc.options }]);
  keepWaiting([made.id]);
  pump();
}

const REWORK_AT_ONCE = 2;

/** Give photos these options; what is done is made again, from the same mask. @param {string[]} ids @param {import("../app/store.js").Options} change */
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
  await Promise.all(Array.from({ length: REWORK_AT_ONCE }, async () => { for (let id = queue.shift(); id; id = queue.shift()) await rework(id); }));
}

/** Make a job's result again with the document's options. @param {string} id */
export async function rework(id) {
  try {
    await remake(id);
  } catch (error) {
    dispatch(id, { type: "fail", error: docError(error) });
  }
}
