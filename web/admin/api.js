// Requests of administrators: with the key of this tab, or with a session's cookie.
import { signal } from "../vendor/signals/signals-core.js";
import { errorOf, unreachable } from "../app/api.js";

/**
 * @typedef {import("../app/api.js").ApiError} ApiError
 * @typedef {{status: "ok"|"failed"|"off", problem: string|null, milliseconds: number|null, age_seconds: number|null}} Part
 * @typedef {{files: number, bytes: number, at_least: boolean}} Files
 * @typedef {{name: string, state: "idle"|"busy"|"silent", item: string|null, processed: number, started_at: string, last_seen_at: string}} Worker
 * @typedef {{name: string, engine: string, precision: string, seconds: number|null}} LoadedModel
 * @typedef {{name: string, versions: {[name: string]: string}, uptime_seconds: number, database: Part, redis: Part, broker: Part,
 *   storage: Part & {backend: string, files: {[kind: string]: Files}|null, disks: {[folder: string]: {free_bytes: number, size_bytes: number}}},
 *   cache: Part & {results: Files|null}, workers: Part & {workers: Worker[]|null}, models: LoadedModel[],
 *   queue: Part & {waiting: number|null, queued: number|null, running: number|null, oldest_seconds: number|null, webhooks_due: number|null}}} Overview
 * @typedef {{id: string, name: string, owner: string, user_id: string|null, user_email: string|null, scopes: string[], state: "valid"|"revoked"|"expired"|"disabled", rate_limit: string|null,
 *   monthly_quota: number|null, images_this_month: number, uses: number, created_at: string, expires_at: string|null,
 *   revoked_at: string|null, last_used_at: string|null}} Key
 * @typedef {{id: string, email: string, role: "user"|"admin", invited_by: string|null, invited_by_name: string|null, created_at: string, expires_at: string}} Invitation
 * @typedef {{requests: number, images: number, failures: number, megapixels: number, bytes_in: number}} Counts
 * @typedef {{totals: Counts, keys: {key_id: string, name: string|null, totals: Counts}[],
 *   days: {day: string, totals: Counts, endpoints: {[endpoint: string]: Counts}, keys: {[id: string]: number}}[]}} Usage
 * @typedef {{code: string, message: string, details: string, solution: string, retryable: boolean}} JobError
 * @typedef {{job_id: string, status: string, created_at: string, error: JobError|null, key_id: string|null, key_name: string|null, retry_url: string|null,
 *   items: {name: string, status: string, error: JobError|null}[], metrics: {items: number, failed: number}}} FailedJob
 */

const KEY = "admin-key";

/** Whether this person is let in; undefined until the server has said so. */
export const allowed = signal(/** @type {boolean|undefined} */ (undefined));
/** Why the last key was refused. */
export const refusal = signal(/** @type {ApiError|undefined} */ (undefined));

export function hasKey() {
  return Boolean(key());
}

/** Use a key until the tab is closed, and no longer. @param {string} text */
export function useKey(text) {
  try { sessionStorage.setItem(KEY, text); } catch { kept = text; }
}

function forgetKey() {
  try { sessionStorage.removeItem(KEY); } catch { /* it was not kept */ }
  kept = "";
}

/** Forget the key, and end the session of this browser. @param {boolean} hasSession @throws {ApiError} */
export async function signOut(hasSession) {
  if (hasSession) await ask("/api/v1/auth/logout", { method: "POST" });
  ends += 1;
  forgetKey();
  refusal.value = undefined;
  allowed.value = false;
}

let kept = "";
/** Counts the times that somebody has signed out: an answer that comes later lets nobody in. */
let ends = 0;

function key() {
  try { return sessionStorage.getItem(KEY) ?? kept; } catch { return kept; }
}

/**
 * The JSON of an answer; null where it has none. A refused key is forgotten, so that a session counts again.
 * @param {string} path @param {{method?: string, body?: unknown}} [init] @returns {Promise<any>} @throws {ApiError}
 */
export async function ask(path, { method = "GET", body } = {}) {
  const headers = new Headers({ Accept: "application/json" });
  const sentKey = key();
  const asked = ends;
  // Other characters can't be in a header; the server refuses what is left.
  if (sentKey) headers.set("X-Api-Key", sentKey.replace(/[^!-~]/g, "?"));
  if (body !== undefined) headers.set("Content-Type", "application/json");
  const sent = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  const answer = await fetch(path, { ...sent, credentials: "same-origin", cache: "no-store" }).catch(() => { throw unreachable(); });
  if (answer.ok) {
    if (asked === ends) {
      allowed.value = true;
      refusal.value = undefined;
    }
    return answer.status === 204 ? null : answer.json();
  }
  const error = await errorOf(answer);
  if (error.status === 401 || error.status === 403) {
    if (sentKey) refusal.value = error;
    if (sentKey === key()) forgetKey();
    allowed.value = false;
  }
  throw error;
}
