// The documents of the page: one signal each, changed by events alone, saved after each change.
import { computed, signal } from "../vendor/signals/signals-core.js";
import * as api from "./api.js";
import * as db from "./db.js";

/**
 * @typedef {{[name: string]: string}} Options
 * @typedef {{code: string, text: string, solution: string, details: string, retryable: boolean, retryAt?: number}} DocError
 * @typedef {'added'|'uploading'|'queued'|'processing'|'completed'|'failed'|'cancelled'} State
 * @typedef {{id: string, name: string, path: string, bytes: number, type: string, width?: number, height?: number, addedAt: number, modified?: number,
 *   state: State, stage?: string, progress: number, eta?: number, attempts: number, decodes?: boolean,
 *   job?: {id: string, item: string, revision: number}, error?: DocError,
 *   result?: {width: number, height: number, bytes: number, format: string, model: string, confidence?: number, ms?: number},
 *   confidence?: number, ms?: number,
 *   edit?: {revision: number, options: Options, view?: {scale: number, x: number, y: number}, kept: number},
 *   options: Options, thumb?: Blob, before?: Blob}} Doc
 * @typedef {import("../vendor/signals/signals-core.js").Signal<Doc>} DocSignal
 */

/** @type {Map<string, DocSignal>} */
export const docs = new Map();
/** Ids, oldest first. @type {import("../vendor/signals/signals-core.js").Signal<string[]>} */
export const order = signal(/** @type {string[]} */ ([]));

/** @param {string} id @returns {Doc|undefined} */
export function docOf(id) {
  return docs.get(id)?.value;
}

/** How many documents are in each state. */
export const counts = computed(() => {
  /** @type {{[state in State]: number}} */
  const found = { added: 0, uploading: 0, queued: 0, processing: 0, completed: 0, failed: 0, cancelled: 0 };
  for (const id of order.value) {
    const doc = docs.get(id)?.value;
    if (doc) found[doc.state] += 1;
  }
  return found;
});

export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Photos in memory: what was dropped in this visit. @type {Map<string, Blob>} */
const photos = new Map();

/**
 * Add documents with their photos.
 * @param {{name: string, path?: string, blob: Blob, type?: string, modified?: number, options?: Options}[]} added @returns {Doc[]}
 */
export function add(added) {
  const made = added.map(({ name, path = "", blob, type = blob.type, modified, options = {} }) => {
    /** @type {Doc} */
    const doc = { id: newId(), name, path, bytes: blob.size, type, addedAt: Date.now(), modified, state: "added", progress: 0, attempts: 0, options };
    photos.set(doc.id, blob);
    docs.set(doc.id, signal(doc));
    save(doc);
    return doc;
  });
  order.value = [...order.value, ...made.map((doc) => doc.id)];
  return made;
}

/** Merge a change into a document and save it. @param {string} id @param {Partial<Doc>} change */
export function patch(id, change) {
  const held = docs.get(id);
  if (!held) return;
  held.value = { ...held.peek(), ...change };
  save(held.peek());
}

/**
 * @typedef {{type: "upload"} | {type: "uploaded", job: {id: string, item: string, revision: number}} | {type: "progress", value: number} |
 *   {type: "start", stage?: string, progress?: number, eta?: number} | {type: "queue"} |
 *   {type: "finish", result: NonNullable<Doc["result"]>} | {type: "fail", error: DocError} | {type: "cancel"} | {type: "retry"}} DocEvent
 */
const OVER = new Set(["completed", "failed", "cancelled"]);

/** The document after an event; the same one where the event does not apply. @param {Doc} doc @param {DocEvent} event @returns {Doc} */
export function reduce(doc, event) {
  const over = OVER.has(doc.state);
  switch (event.type) {
    case "upload":
      return over ? doc : { ...doc, state: "uploading", progress: 0, error: undefined };
    case "progress":
      return doc.state === "uploading" || doc.state === "processing" ? { ...doc, progress: Math.max(doc.progress, event.value) } : doc;
    case "uploaded":
      return over ? { ...doc, job: event.job } : { ...doc, state: "queued", progress: 0, job: event.job };
    case "queue":
      return over ? doc : { ...doc, state: "queued", stage: undefined, progress: 0 };
    case "start":
      if (over) return doc;
      return { ...doc, state: "processing", stage: event.stage ?? doc.stage, eta: event.eta,
        progress: Math.max(doc.state === "processing" ? doc.progress : 0, event.progress ?? 0) };
    case "finish":
      return doc.state === "cancelled" ? doc : { ...doc, state: "completed", stage: undefined, progress: 100, eta: undefined, error: undefined, result: event.result };
    case "fail":
      return doc.state === "cancelled" || doc.state === "completed" ? doc : { ...doc, state: "failed", stage: undefined, eta: undefined, error: event.error };
    case "cancel":
      return doc.state === "completed" || doc.state === "failed" ? doc : { ...doc, state: "cancelled", stage: undefined, eta: undefined };
    case "retry":
      return doc.state === "failed" || doc.state === "cancelled"
        ? { ...doc, state: "added", stage: undefined, progress: 0, eta: undefined, error: undefined, attempts: doc.attempts + 1 } : doc;
  }
}

/** Apply an event to a document. @param {string} id @param {DocEvent} event */
export function dispatch(id, event) {
  const held = docs.get(id);
  if (!held) return;
  const before = held.peek();
  const after = reduce(before, event);
  if (after === before) return;
  held.value = after;
  // Progress alone is not worth a write.
  if (after.state !== before.state || after.job !== before.job) save(after);
}

/** Forget documents and all that is kept of them. @param {string[]} ids */
export async function forget(ids) {
  const gone = new Set(ids);
  order.value = order.value.filter((id) => !gone.has(id));
  for (const id of ids) {
    docs.delete(id);
    photos.delete(id);
    unsaved.delete(id);
  }
  await db.write(ids.flatMap((id) => [{ store: "docs", delete: id }, { store: "photos", delete: id }]));
  for (const id of ids) await Promise.all([db.clear("tiles", id), db.clear("history", id)]);
}

/** Bring back what an earlier visit left. */
export async function restore() {
  const kept = /** @type {Doc[]} */ (await db.list("docs"));
  kept.sort((one, other) => one.addedAt - other.addedAt);
  const fresh = kept.filter((doc) => !docs.has(doc.id));
  for (const doc of fresh) docs.set(doc.id, signal(doc));
  order.value = [...fresh.map((doc) => doc.id), ...order.peek()];
  return fresh;
}

/** The photo's bytes: of this visit, of the browser's storage, or of the job. @param {string} id @returns {Promise<Blob>} */
export async function photoOf(id) {
  const held = photos.get(id) ?? (await db.get("photos", id))?.photo;
  if (held) {
    photos.set(id, held);
    return held;
  }
  const job = docOf(id)?.job;
  if (!job) throw new api.ApiError({ status: 410, code: "photo_gone", text: "The photo is not here any more" });
  const photo = await (await api.request(itemUrl(job, "original"))).blob();
  photos.set(id, photo);
  return photo;
}

/** @param {string} id */
export function hasPhoto(id) {
  return photos.has(id);
}

/** @type {Map<string, Promise<Blob>>} */
const mattes = new Map();

/** The photo's matte as a grey PNG: the saved one, the job's, or the model's, which is asked once. @param {string} id @param {{signal?: AbortSignal}} [more] */
export function matteOf(id, more = {}) {
  let found = mattes.get(id);
  if (!found) {
    found = findMatte(id, more).catch((error) => { mattes.delete(id); throw error; });
    mattes.set(id, found);
  }
  return found;
}

/** @param {string} id @param {{signal?: AbortSignal}} more @returns {Promise<Blob>} */
async function findMatte(id, more) {
  const kept = await db.get("photos", id);
  if (kept?.matte) return kept.matte;
  const doc = docOf(id);
  if (doc?.job && doc.state === "completed") return (await api.request(itemUrl(doc.job, "mask"), more)).blob();
  const photo = await photoOf(id);
  const began = performance.now();
  const zip = doc?.decodes === false;
  const found = await api.matte(photo, doc?.name ?? "photo", { ...more, model: doc?.options.model, zip });
  if (found.photo) photos.set(id, found.photo);
  await db.put("photos", { docId: id, photo: found.photo ?? photo, matte: found.matte });
  patch(id, { confidence: found.confidence, ms: Math.round(performance.now() - began) });
  return found.matte;
}

/** @param {{id: string, item: string}} job @param {string} part */
export function itemUrl(job, part) {
  return `/api/jobs/${job.id}/items/${job.item}/${part}`;
}

/** @type {Map<string, Doc>} */
const unsaved = new Map();
let saving = false;

/** @param {Doc} doc */
function save(doc) {
  unsaved.set(doc.id, doc);
  if (saving) return;
  saving = true;
  setTimeout(flush, 100);
}

/** Save what has changed. */
export async function flush() {
  const changed = [...unsaved.values()];
  unsaved.clear();
  saving = false;
  await db.write(changed.map((doc) => ({ store: "docs", put: doc })));
}
