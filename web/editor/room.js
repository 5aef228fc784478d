/** Makes space in the browser's storage: exported edits are removed first, and in any case after a week. */
import { forget, patch } from "../app/store.js";
import * as db from "../app/db.js";

/** @typedef {import("../app/store.js").Doc} Doc */

const KEPT_MS = 7 * 24 * 3600 * 1000;
const LARGEST = 1e9;
const SHARE = 0.6;

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
export async function makeRoom(open) {
  const [oldest] = await exported(open);
  if (oldest) await forget([oldest.id]);
  return Boolean(oldest);
}

/** Whether the page uses more than its part of the storage; false where the browser does not say. */
export async function isFull() {
  const { usage = 0, quota = Infinity } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
  return usage > Math.min(LARGEST, SHARE * quota);
}

/** @param {string} open @returns {Promise<Doc[]>} oldest first */
async function exported(open) {
  const docs = /** @type {Doc[]} */ (await db.list("docs"));
  const done = docs.filter(({ id, exportedAt }) => exportedAt && id !== open);
  return done.sort((a, b) => (a.exportedAt ?? 0) - (b.exportedAt ?? 0));
}
