// When the server asks for patience: one pause for everything that sends, shown as a countdown.
import { ApiError } from "../app/api.js";
import { signal } from "../vendor/signals/signals-core.js";

/** @typedef {{until: number, code: string, details: string}} Pause */

/** @type {import("../vendor/signals/signals-core.js").Signal<Pause|undefined>} */
export const pause = signal(/** @type {Pause|undefined} */ (undefined));
/** Whether the queue of jobs is lost, so that the person may go on without it. */
export const queueLost = signal(false);

const BACKOFF_SECONDS = [1, 2, 4, 8, 15];
// Answers that are tried again without a word.
const SILENT_TRIES = 3;
const DEFAULT_SECONDS = 5;
/** Without an answer, too many requests, a server or proxy that is busy. */
const PASSING = new Set([0, 429, 502, 503, 504]);
// The same photo would be refused again.
const LASTING = new Set([410, 413, 415, 422]);

/** Whether the same request may succeed later. @param {unknown} error @returns {error is ApiError} */
export function passes(error) {
  return error instanceof ApiError && PASSING.has(error.status);
}

/** Seconds to wait after so many tries. @param {number} tries */
export function backoff(tries) {
  return BACKOFF_SECONDS[Math.min(tries, BACKOFF_SECONDS.length - 1)];
}

/** Wait as long as the error asks for; `tries` counts those before. @param {ApiError} error @param {number} tries @param {AbortSignal} [signal] */
export async function waitFor(error, tries, signal) {
  if (error.code === "queue_unavailable") queueLost.value = true;
  const seconds = error.status === 0 || error.retryAfter === undefined ? backoff(tries) : error.retryAfter || DEFAULT_SECONDS;
  const shown = error.status === 429 || (error.status !== 0 && tries >= SILENT_TRIES);
  if (shown) pauseUntil(Date.now() + seconds * 1000, error);
  await sleep(seconds * 1000, signal);
}

/** @param {number} until @param {ApiError} error */
function pauseUntil(until, { code, details }) {
  if (until > (pause.peek()?.until ?? 0)) pause.value = { until, code, details };
}

/** Wait until the pause that others have met is over. @param {AbortSignal} [signal] */
export async function passPause(signal) {
  for (;;) {
    const left = (pause.peek()?.until ?? 0) - Date.now();
    if (left <= 0) break;
    await sleep(left, signal);
  }
  pause.value = undefined;
}

/** @param {number} milliseconds @param {AbortSignal} [signal] @returns {Promise<void>} */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(new DOMException("aborted", "AbortError")); }, { once: true });
  });
}

/** An error that the page itself finds. @param {string} code @returns {import("../app/store.js").DocError} */
export function ownError(code) {
  return { code, text: "", solution: "", details: "", retryable: false };
}

/** Of a photo whose bytes were lost with its tab. */
export const GONE = ownError("photo_gone");

/** @param {unknown} error @returns {import("../app/store.js").DocError} */
export function docError(error) {
  if (error instanceof ApiError) return { code: error.code, text: error.text, solution: error.solution, details: error.details, retryable: !LASTING.has(error.status) };
  return { code: "unexpected", text: String(error), solution: "", details: "", retryable: true };
}

/** Errors of photos of which this page can make a smaller copy. */
export const SHRINKS = new Set(["too_many_pixels", "upload_too_large"]);
/** Errors of the options: with others the photo may succeed. */
const CHOICES = new Set(["bad_option", "unknown_option", "model_not_found"]);

/** Whether a photo may succeed when it is tried once more. @param {import("../app/store.js").Doc} doc */
export function canRetry({ state, error }) {
  return state === "cancelled" || Boolean(error?.retryable || CHOICES.has(error?.code ?? ""));
}

/** Seconds until the open photos have ended, at the pace of the last ones. @param {number[]} times @param {number} open @param {number} now */
export function etaOf(times, open, now) {
  if (!open || times.length < 2) return undefined;
  const each = (Math.max(now, times[times.length - 1]) - times[0]) / 1000 / (times.length - 1);
  return Math.max(1, Math.round(each * open));
}
