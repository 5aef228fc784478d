// The bytes of a document: its photo, the model's matte, the mask as edited.
import * as api from "./api.js";
import { part } from "./connection.js";
import * as db from "./db.js";
import { patch, peek, photos } from "./store.js";

/** The photo's bytes: of this visit, of the browser's storage, or of the job. @param {string} id @returns {Promise<Blob>} */
export async function photoOf(id) {
  const held = await heldPhoto(id);
  if (held) return held;
  const job = peek(id)?.job;
  if (!job) throw new api.ApiError({ status: 410, code: "photo_gone", text: "The photo is not here any more" });
  const photo = await (await api.request(itemUrl(job, "original"))).blob();
  photos.set(id, photo);
  return photo;
}

/** Whether the photo is here, without asking the server. @param {string} id */
export async function hasPhoto(id) {
  return Boolean(await heldPhoto(id));
}

/** @param {string} id @returns {Promise<Blob|undefined>} */
async function heldPhoto(id) {
  const held = photos.get(id);
  // A file may have been moved or changed since it was chosen.
  if (held && (await held.slice(0, 1).arrayBuffer().catch(() => null))) return held;
  photos.delete(id);
  const kept = (await db.get("photos", id))?.photo;
  if (kept && peek(id)) photos.set(id, kept);
  return kept;
}

/** Pictures of photos that the browser can't show; results are made of the photo itself. @type {Map<string, Blob>} */
export const pictures = new Map();

/** What a browser can show of the photo: a picture by the server, otherwise the photo. @param {string} id @returns {Promise<Blob>} */
export async function shownOf(id) {
  return pictures.get(id) ?? (await db.get("photos", id))?.shown ?? photoOf(id);
}

/** @type {Map<string, Promise<Blob>>} */
const mattes = new Map();

/** @typedef {{signal?: AbortSignal, model?: typeof import("./model.js")}} More `model`: its calls, where they are loaded */

/** The photo's matte as a grey PNG: the saved one, the job's, or the model's, which is asked once. @param {string} id @param {More} [more] */
export function matteOf(id, more = {}) {
  const found = mattes.get(id) ?? findMatte(id, more).catch((error) => { mattes.delete(id); throw error; });
  mattes.set(id, found);
  return found;
}

/** @param {string} id @param {More} more @returns {Promise<Blob>} */
async function findMatte(id, more) {
  const kept = (await db.get("photos", id))?.matte;
  if (kept) return kept;
  const doc = peek(id);
  if (doc?.job && doc.result) {
    try {
      return await (await api.request(itemUrl(doc.job, "mask"), more)).blob();
    } catch (error) {
      if (!api.isGone(error)) throw error;
    }
  }
  return (more.model ?? (await part(() => import("./model.js")))).askMatte(id, more);
}

/** Edited masks for which the browser has no space. @type {Map<string, Blob>} */
export const masks = new Map();

/** The mask of the result: as edited, otherwise the matte. @param {string} id @returns {Promise<Blob>} */
export async function maskOf(id) {
  return masks.get(id) ?? (await db.get("photos", id))?.mask ?? matteOf(id);
}

/** @type {Promise<unknown>} */
let keeping = Promise.resolve();

/** Merge into what the browser keeps of a photo, one change after another. @param {string} id @param {{photo?: Blob, shown?: Blob, matte?: Blob, mask?: Blob, result?: {key: string, blob: Blob}}} change */
export function keep(id, change) {
  // One that fails does not hold up the others.
  const next = () => merge(id, change);
  return keeping = keeping.then(next, next);
}

/** @param {string} id @param {Parameters<typeof keep>[1]} change */
async function merge(id, change) {
  const kept = (await db.get("photos", id)) ?? { docId: id };
  // Of a photo that was removed meanwhile nothing is kept.
  const done = !peek(id) || (await db.put("photos", { ...kept, ...change }));
  if (!done) db.trouble.value = "full";
  return done;
}

/** @param {{id: string, item: string}} job @param {string} part */
export function itemUrl(job, part) {
  return `/api/jobs/${job.id}/items/${job.item}/${part}`;
}
