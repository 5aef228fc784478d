// The documents of the page: one signal each, changed by events alone, saved after each change, the same in every tab.
import { batch, computed, signal } from "../vendor/signals/signals-core.js";
import * as db from "./db.js";
import { merge, reduce } from "./events.js";
import { broadcast, hear, newId, TAB } from "./tabs.js";

/**
 * @typedef {{[name: string]: string}} Options
 * @typedef {{code: string, text: string, solution: string, details: string, retryable: boolean, retryAt?: number}} DocError
 * @typedef {'added'|'uploading'|'queued'|'processing'|'completed'|'failed'|'cancelled'} State
 * @typedef {{id: string, name: string, path: string, bytes: number, type: string, width?: number, height?: number, addedAt: number, modified?: number, exportedAt?: number,
 *   state: State, stage?: string, progress: number, eta?: number, attempts: number, decodes?: boolean,
 *   job?: {id: string, item: string, revision: number}, error?: DocError,
 *   result?: {width: number, height: number, bytes: number, format: string, model: string, confidence?: number, ms?: number},
 *   edit?: {revision: number, options: Options}, draft?: boolean,
 *   options: Options, applied?: Options, stale?: number, moves?: number, thumb?: Blob, thumbKey?: string, before?: Blob, ground?: Blob, tab?: string, removed?: string, direct?: boolean}} Doc
 * `thumb` shows the result named by `thumbKey`; `ground` is the user's own picture behind the subject. `options` are wanted; `applied` are those of the job's result. `stale` counts edits that the result is without; a `draft` is one that the editor has not handed over yet. `moves` counts the changes of state and job. `direct` photos go to `/matte`, not to a job. `tab` sends it. `removed` names the tab that has removed it, which can be undone there.
 * @typedef {import("../vendor/signals/signals-core.js").Signal<Doc>} DocSignal
 * @typedef {{name: string, path?: string, blob: Blob, type?: string, modified?: number, width?: number, height?: number, direct?: boolean, options?: Options, error?: DocError}} Added
 */

/** @type {Map<string, DocSignal>} */
export const docs = new Map();
/** Ids of those that are not removed, oldest first. @type {import("../vendor/signals/signals-core.js").Signal<string[]>} */
export const order = signal(/** @type {string[]} */ ([]));
/** Grows with each change of a document, for what depends on many of them. */
export const changes = signal(0);
/** Called with the ids of documents that are forgotten. @type {Set<(ids: string[]) => void>} */
export const onForget = new Set();

/** @param {string} id @returns {Doc|undefined} */
export function docOf(id) {
  return docs.get(id)?.value;
}

/** The document without following its changes. @param {string} id */
export function peek(id) {
  return docs.get(id)?.peek();
}

/** All documents as they are now, oldest first. @returns {Doc[]} */
export function all() {
  return order.peek().flatMap((id) => peek(id) ?? []);
}

/** How many documents are in each state. */
export const counts = computed(() => {
  changes.value;
  /** @type {{[state in State]: number}} */
  const found = { added: 0, uploading: 0, queued: 0, processing: 0, completed: 0, failed: 0, cancelled: 0 };
  for (const id of order.value) {
    const doc = peek(id);
    if (doc) found[doc.state] += 1;
  }
  return found;
});

/** Photos in memory: what was dropped in this visit. @type {Map<string, Blob>} */
export const photos = new Map();

/** Add documents with their photos; those with an error are failed from the start. @param {Added[]} added @returns {Doc[]} */
export function add(added) {
  const made = added.map(({ blob, name, path = "", type = blob.type, options = {}, error, ...more }, index) => {
    // Those of one drop come back in their order as well.
    const addedAt = Date.now() + index / 1000;
    /** @type {Doc} */
    const doc = { id: newId(), name, path, bytes: blob.size, type, addedAt, state: error ? "failed" : "added", progress: 0, attempts: 0,
      options, tab: TAB, error, ...more };
    photos.set(doc.id, blob);
    return doc;
  });
  batch(() => {
    for (const doc of made) docs.set(doc.id, signal(doc));
    arrange();
    for (const doc of made) changed(doc);
  });
  return made;
}

/** Show the documents that are not removed, in the order in which they were added: updates from other tabs come in any. */
export function arrange() {
  order.value = [...docs.values()].map((held) => held.peek()).filter((doc) => !doc.removed).sort((one, other) => one.addedAt - other.addedAt).map(({ id }) => id);
}

/** Change many documents, and show them once. */
export const together = batch;

/** Merge a change into a document and save it. @param {string} id @param {Partial<Doc>} change */
export function patch(id, change) {
  const held = docs.get(id);
  if (!held) return;
  held.value = { ...held.peek(), ...change };
  changed(held.peek(), change);
}

/** Apply an event to a document. @param {string} id @param {import("./events.js").DocEvent} event */
export function dispatch(id, event) {
  const held = docs.get(id);
  if (!held) return;
  const before = held.peek();
  const after = reduce(before, event);
  if (after === before) return;
  const moved = after.state !== before.state || after.job !== before.job;
  held.value = moved ? { ...after, moves: (before.moves ?? 0) + 1 } : after;
  // Progress alone is not worth a write.
  if (moved) changed(held.peek());
  else changes.value = changes.peek() + 1;
}

/** Forget documents and all that is kept of them. @param {string[]} ids */
export async function forget(ids) {
  broadcast("forget", ids);
  await drop(ids);
}

/** What another tab forgets this one forgets as well: it may have written meanwhile. @param {string[]} ids */
async function drop(ids) {
  for (const id of ids) {
    gone.add(id);
    docs.delete(id);
    photos.delete(id);
    unsaved.delete(id);
  }
  arrange();
  for (const listener of onForget) listener(ids);
  await db.write(ids.flatMap((id) => [{ store: "docs", delete: id }, { store: "photos", delete: id }, { store: "settings", delete: `lease ${id}` }]));
  for (const id of ids) await Promise.all([db.clear("tiles", id), db.clear("history", id)]);
}

/** Bring back what earlier visits left, and follow the other tabs. */
export async function restore() {
  hear("docs", takeAll);
  hear("forget", drop);
  const kept = /** @type {Doc[]} */ (await db.list("docs"));
  takeAll(kept);
}

/** @param {Doc[]} heard */
function takeAll(heard) {
  batch(() => { if (heard.map(take).includes(true)) arrange(); });
}

/** Take a document as another tab or an earlier visit has it; says whether it comes or goes with that. @param {Doc} doc */
function take(doc) {
  const held = docs.get(doc.id);
  const before = held?.peek();
  if (gone.has(doc.id)) return false;
  // What has changed here a moment ago is not known there.
  if (held && before) held.value = { ...merge(before, doc), ...unsaved.get(doc.id) };
  else docs.set(doc.id, signal(doc));
  changes.value = changes.peek() + 1;
  return !before || before.removed !== peek(doc.id)?.removed;
}

const SAVED_AT_ONCE = 50;
/** What has changed of documents, by id. @type {Map<string, Partial<Doc>>} */
const unsaved = new Map();
/** Ids of those that are forgotten. @type {Set<string>} */
const gone = new Set();
let saving = false;

/** @param {Doc} doc @param {Partial<Doc>} [change] */
function changed({ id }, change) {
  changes.value = changes.peek() + 1;
  unsaved.set(id, { ...unsaved.get(id), ...change });
  if (saving) return;
  saving = true;
  setTimeout(saveSome, 100);
}

/** Save what has changed, in parts that keep no frame waiting. */
function saveSome() {
  saveNow([...unsaved.keys()].slice(0, SAVED_AT_ONCE));
  saving = unsaved.size > 0;
  if (saving) setTimeout(saveSome);
}

/** Save all that has changed. */
export async function flush() {
  await saveNow([...unsaved.keys()]);
}

/** @param {string[]} ids */
async function saveNow(ids) {
  for (const id of ids) unsaved.delete(id);
  // As they are now: another tab may have changed them since.
  const fresh = ids.flatMap((id) => peek(id) ?? []);
  if (!fresh.length) return;
  broadcast("docs", fresh);
  await db.write(fresh.map((doc) => ({ store: "docs", put: doc })));
}
