// Deletes photos and jobs on the server. The browser remembers what is not deleted yet, and tries again when the server answers, or at the next visit.
import { notify } from "../app/announce.js";
import { apiKey, isGone, knownFacts, request } from "../app/api.js";
import { whenReachable } from "../app/connection.js";
import * as db from "../app/db.js";
import { t } from "../app/i18n/index.js";
import { moreTexts } from "./failures.js";
import { passes, waitFor } from "./pace.js";

/** What the keys of the records begin with; the path follows. */
const KEY = "delete ";
const AT_ONCE = 32;
let trying = Promise.resolve();

// What earlier visits have left. Every visit loads this while nothing else happens, with the list (batch.js).
tryAgain();

/** Delete photos or jobs, and say so where the server has not done it yet; returns whether it has. @param {string[]} paths */
export async function erase(paths) {
  if (await eraseQuietly(paths)) return true;
  const [{ result_ttl_seconds: seconds }] = await Promise.all([knownFacts(), moreTexts()]);
  notify(t("not_deleted", { hours: Math.round(seconds / 3600) }));
  return false;
}

/** Delete photos or jobs, now or later; returns whether it is done. @param {string[]} paths */
export async function eraseQuietly(paths) {
  if (!paths.length) return true;
  // All are begun at once: the page may be about to close.
  remember(paths);
  const waiting = [...paths];
  let isAll = true;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let path = waiting.shift(); path && isAll; path = waiting.shift()) if (await attempt(path)) isAll = false;
  }));
  if (!isAll) tryAgain();
  return isAll;
}

/** @param {string} job */
export function jobPath(job) {
  return `/api/jobs/${job}`;
}

/** @param {{id: string, item: string}} job */
export function itemPath({ id, item }) {
  return `${jobPath(id)}/items/${item}`;
}

/** The paths that the server has still to delete. @returns {Promise<string[]>} */
export async function pending() {
  return (await records()).map(({ key }) => key.slice(KEY.length));
}

/** @param {string[]} paths */
export function remember(paths) {
  return db.write(paths.map((path) => ({ store: "settings", put: { key: KEY + path, at: Date.now() } })));
}

/** @returns {Promise<{key: string, at: number}[]>} */
async function records() {
  return (await db.list("settings")).filter(({ key }) => key.startsWith(KEY));
}

/** Delete what is remembered, after what is being tried. */
function tryAgain() {
  trying = trying.then(eraseRest).catch(() => undefined);
}

/** Delete what is remembered, one after another. */
async function eraseRest() {
  const rest = await records();
  if (!rest.length) return;
  const { auth_required, accounts, result_ttl_seconds: seconds } = await knownFacts();
  // No key is asked for: a person may have come for something else.
  if (auth_required && !apiKey() && !accounts?.user) return;
  for (const { key, at } of rest) {
    // The server has deleted it by itself.
    if (Date.now() - at > seconds * 1000) await db.remove("settings", key);
    else await persist(key.slice(KEY.length));
  }
}

/** Ask until the server answers. @param {string} path */
async function persist(path) {
  for (let tries = 0, error = await attempt(path); passes(error); tries += 1, error = await attempt(path)) {
    await waitFor(error, tries);
    await whenReachable();
  }
}

/** Delete one; returns the error where it is not deleted. @param {string} path */
async function attempt(path) {
  try {
    await request(path, { method: "DELETE", keepalive: true });
  } catch (error) {
    if (!isGone(error)) return error;
  }
  await db.remove("settings", KEY + path);
  return undefined;
}
