/**
 * Writes an edit to the browser's database: changed tiles, the last steps, options and view, all or nothing. Where there is no room, exported edits
 * are removed first, and in any case after a week. Follows the brush.
 */
import { say } from "../app/announce.js";
import * as db from "../app/db.js";
import { t } from "../app/i18n/index.js";
import { forget, patch, peek } from "../app/store.js";
import { HEAD } from "./autosave.js";

/** @typedef {import("../app/store.js").Doc} Doc */
/** @typedef {import("./autosave.js").Autosave} Autosave */

/** Steps that can still be undone after a reload. */
const KEPT_STEPS = 50;
const KEPT_MS = 7 * 24 * 3600 * 1000;
const LARGEST = 1e9;
const SHARE = 0.6;

/** Save what has changed. Returns whether it is saved. @param {Autosave} autosave */
export async function save(autosave) {
  const { document } = autosave;
  if (!(await document.lease.isHeld())) {
    document.readOnly.value = true;
    return false;
  }
  await document.history.settled();
  const { tiles, changes, kept } = snapshot(autosave);
  const { mask, history } = document;
  // What was undone to the beginning is no edit any more.
  const undone = !history.depth && history.whole && autosave.look() === autosave.first;
  const edit = undone ? undefined : { revision: mask.revision, options: document.options.peek() };
  for (const tile of tiles) tile.data = await document.later.run("deflate", tile.data);
  const whole = tiles.map((put) => /** @type {import("../app/db.js").Change} */ ({ store: "tiles", put }));
  const all = [...whole, ...changes];
  // The mark of the list is there after a reload where the edit is.
  const doc = peek(document.id);
  const change = { edit, draft: true };
  if (doc) all.push({ store: "docs", put: { ...doc, ...change } });
  if (await isFull()) await makeRoom(document.id);
  let written = await db.write(all);
  while (!written && (await makeRoom(document.id))) written = await db.write(all);
  const done = written && (await db.isPersistent());
  if (!done) {
    // What could not be written is tried again with the next change.
    for (const { n } of tiles) autosave.dirty.add(n);
    if (document.saved.peek() !== "off") say(t("tool_no_room"));
    document.saved.value = "off";
    if (!written) db.trouble.value = "full";
    return false;
  }
  autosave.kept = kept;
  autosave.whole = true;
  patch(document.id, change);
  document.saved.value = autosave.touched ? "saving" : "saved";
  return true;
}

/** Copy all that is to be written, as it is at this moment. @param {Autosave} autosave */
function snapshot(autosave) {
  const { id, mask, history, options, view } = autosave.document;
  const docId = id;
  const numbers = autosave.whole ? [...autosave.dirty] : mask.tiles.map((_, n) => n);
  // Of an unfinished stroke nothing is saved.
  const tiles = numbers.map((n) => ({ docId, n, data: (history.open?.bases.get(n) ?? mask.tile(n)).slice() }));
  autosave.dirty = new Set(history.open?.bases.keys());
  autosave.touched = false;
  const from = Math.max(0, history.depth - KEPT_STEPS);
  const entries = history.entries.slice(from, history.depth + KEPT_STEPS);
  const kept = new Set(entries.map(({ seq }) => seq));
  /** @type {import("../app/db.js").Change[]} */
  const changes = entries.filter(({ seq }) => !autosave.kept.has(seq)).map((entry) => ({ store: "history", put: { docId, seq: entry.seq, entry } }));
  for (const seq of autosave.kept) if (!kept.has(seq)) changes.push({ store: "history", delete: [docId, seq] });
  const head = { docId, n: HEAD, width: mask.width, height: mask.height, depth: history.depth - from, options: options.peek(), view: view.peek(), first: autosave.first, whole: history.whole && !from };
  changes.push({ store: "tiles", put: head });
  return { tiles, changes, kept };
}

/** Remember that a document's result is with the person. @param {string} id */
export function noteExport(id) {
  patch(id, { exportedAt: Date.now() });
}

/** Forget what was exported a week ago. @param {string} open the document that stays */
export async function forgetOld(open) {
  const old = (await exported(open)).filter(({ exportedAt = 0 }) => Date.now() - exportedAt > KEPT_MS);
  if (old.length) await forget(old.map(({ id }) => id));
}

/** Forget the exported document that is oldest. Returns whether there was one. @param {string} open the document that stays */
async function makeRoom(open) {
  const [oldest] = await exported(open);
  if (oldest) await forget([oldest.id]);
  return Boolean(oldest);
}

/** Whether the page uses more than its part of the storage; false where the browser does not say. */
async function isFull() {
  const { usage = 0, quota = Infinity } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
  return usage > Math.min(LARGEST, SHARE * quota);
}

/** @param {string} open @returns {Promise<Doc[]>} oldest first */
async function exported(open) {
  const docs = /** @type {Doc[]} */ (await db.list("docs"));
  const done = docs.filter(({ id, exportedAt }) => exportedAt && id !== open);
  return done.sort((a, b) => (a.exportedAt ?? 0) - (b.exportedAt ?? 0));
}
