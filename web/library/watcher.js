// Follows all jobs of the browser over one stream of events; without it, by asking every few seconds.
import { ApiError, isGone, request } from "../app/api.js";
import { reconnecting } from "../app/connection.js";
import { isOver } from "../app/events.js";
import { hasPhoto } from "../app/photos.js";
import { all, dispatch, docs, flush, peek, together } from "../app/store.js";
import { broadcast, hear, leads } from "../app/tabs.js";
import { effect } from "../vendor/signals/signals-core.js";
import { backoff, ownError, passes, sleep } from "./pace.js";

const MOST_JOBS = 50;
/** A job that is gone, or a server without this stream: each job is asked for. */
const NO_STREAM = new Set([400, 404, 405]);
const POLL_MS = 3000;
// New jobs wait for each other: the server counts a stream for a moment after it is closed.
const GATHER_MS = 1000;

/** Called after photos have changed. @type {{settled: () => void}} */
export const hooks = { settled() {} };

let stopped = new AbortController();
let active = false;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let gathering;
/** The jobs that the open stream is about. */
let followed = "";
/** The server has no stream for many jobs, or no place for a listener. */
let pollUntil = 0;

/** The ids of jobs with photos that have not ended, at most as many as one stream takes. */
function openJobs() {
  const ids = new Set(all().flatMap((doc) => (doc.job && !isOver(doc) ? [doc.job.id] : [])));
  return [...ids].slice(0, MOST_JOBS);
}

/** Look which jobs there are; the stream begins again where they are others. Another tab may be the one that listens. */
export function watchJobs() {
  if (!leads.peek()) {
    flush();
    broadcast("jobs", null);
  } else if (!active) run();
  else gathering ??= setTimeout(restart, GATHER_MS);
}

hear("jobs", () => { if (leads.peek()) watchJobs(); });

function restart() {
  gathering = undefined;
  if (openJobs().some((id) => !followed.includes(id))) stopped.abort();
}

effect(() => { if (leads.value) queueMicrotask(watchJobs); else stopped.abort(); });

async function run() {
  active = true;
  for (let tries = 0; leads.peek(); ) {
    const jobs = openJobs();
    if (!jobs.length) break;
    stopped = new AbortController();
    followed = jobs.join();
    const went = await follow(jobs, stopped.signal);
    tries = went ? 0 : tries + 1;
    if (!went) {
      reconnecting.value = true;
      await sleep(backoff(tries - 1) * 1000);
    }
  }
  reconnecting.value = false;
  followed = "";
  active = false;
}

/** Follow the jobs until the stream ends; false where the server can't be reached. @param {string[]} jobs @param {AbortSignal} signal */
async function follow(jobs, signal) {
  try {
    // Without the file, as after an update of the server, each job is asked for.
    const sse = Date.now() < pollUntil ? undefined : await import("../app/sse.js").catch(() => undefined);
    if (!sse) await poll(jobs, signal);
    else await sse.listen(`/api/jobs/events?${jobs.map((id) => `id=${id}`).join("&")}`, heard, signal, () => { reconnecting.value = false; });
    reconnecting.value = false;
    return true;
  } catch (error) {
    if (signal.aborted) return true;
    if (error instanceof ApiError && NO_STREAM.has(error.status)) {
      pollUntil = Date.now() + 30_000;
      return true;
    }
    if (error instanceof ApiError && error.status === 503) pollUntil = Date.now() + 10_000;
    return false;
  }
}

/** @param {string[]} jobs @param {AbortSignal} signal */
async function poll(jobs, signal) {
  for (const id of jobs) {
    try {
      heard("job", await (await request(`/api/jobs/${id}`, { signal, cache: "no-store" })).json());
    } catch (error) {
      if (signal.aborted || passes(error) || !(error instanceof ApiError)) throw error;
      if (isGone(error)) await lost(id);
    }
  }
  await sleep(POLL_MS, signal);
}

/**
 * @typedef {{id?: string, item_id?: string, status: string, stage?: string|null, progress?: number, revision?: number, ms?: number|null,
 *   width?: number|null, height?: number|null, bytes?: number|null, format?: string|null, model?: string|null, confidence?: number|null,
 *   error?: {code: string, details: string, message?: string, solution?: string, retryable?: boolean}|null}} Item
 */

/** @param {string} name @param {{job_id: string, status: string, eta_seconds?: number|null, items?: Item[]}} job */
function heard(name, job) {
  if (!job?.job_id) return;
  if (job.status === "unknown") { lost(job.job_id); return; }
  const known = byItem(job.job_id);
  together(() => (job.items ?? []).forEach((item, index) => {
    const id = known.get(item.id ?? item.item_id ?? `${job.job_id}-${index + 1}`);
    if (id) apply(id, item, job.eta_seconds ?? undefined);
  }));
  hooks.settled();
}

/** @param {string} job @returns {Map<string, string>} */
function byItem(job) {
  const found = new Map();
  for (const [id, doc] of docs) {
    const held = doc.peek().job;
    if (held?.id === job) found.set(held.item, id);
  }
  return found;
}

/** @param {string} id @param {Item} item @param {number} [eta] */
export function apply(id, item, eta) {
  if (item.status === "queued") dispatch(id, { type: "queue" });
  else if (item.status === "started") dispatch(id, { type: "start", stage: item.stage ?? undefined, progress: item.progress, eta });
  else if (item.status === "cancelled" || item.status === "deleted") dispatch(id, { type: "cancel" });
  else if (item.status === "failed") fail(id, item);
  else if (item.status === "finished") finish(id, item);
}

/** @param {string} id @param {Item} item */
function fail(id, { error }) {
  const { code = "unexpected", message = "", solution = "", details = "", retryable = true } = error ?? {};
  dispatch(id, { type: "fail", error: { code, text: message, solution, details, retryable } });
}

/** @param {string} id @param {Item} item */
function finish(id, item) {
  const doc = peek(id);
  if (!doc || doc.state === "completed") return;
  dispatch(id, { type: "finish", revision: item.revision, result: resultOf(item) });
  // Its options or its mask may have changed meanwhile.
  if (doc.stage !== "compose") import("./remake.js").then(({ remakeEdit }) => remakeEdit(id)).catch(() => undefined);
}

/** @param {Item} item */
export function resultOf({ width, height, bytes, format, model, confidence, ms }) {
  return { width: width ?? 0, height: height ?? 0, bytes: bytes ?? 0, format: format ?? "png", model: model ?? "", confidence: confidence ?? undefined, ms: ms ?? undefined };
}

/** A job that the server does not have any more. @param {string} job */
async function lost(job) {
  await lose([...byItem(job).values()], ownError("result_expired"));
  hooks.settled();
}

/** Photos that nobody works on any more: they are sent once more where their bytes are here, and fail otherwise. @param {Iterable<string>} ids @param {import("../app/store.js").DocError} error */
export async function lose(ids, error) {
  for (const id of ids) {
    if (await hasPhoto(id)) dispatch(id, { type: "rollback" });
    else dispatch(id, { type: "fail", error });
  }
}
