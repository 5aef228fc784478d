// Sends photos as jobs: few at a time, each request written down before it leaves, so that none is lost or doubled.
import * as api from "../app/api.js";
import * as db from "../app/db.js";
import { isOver } from "../app/events.js";
import { facts } from "../app/facts.js";
import { all, dispatch, newId, onForget, patch, peek, together } from "../app/store.js";
import { hasPhoto, keep, photoOf } from "../app/photos.js";
import { TAB } from "../app/tabs.js";
import { upload } from "../app/upload.js";
import { docError, passes, passPause, queueLost, waitFor } from "./pace.js";
import { pumpDirect, stopDirect } from "./direct.js";
import { hooks, watchJobs } from "./watcher.js";

/**
 * @typedef {import("../app/store.js").Doc} Doc
 * @typedef {{key: string, ids: string[], options: import("../app/store.js").Options, at: number}} Submission one request for a job
 */

const PATH = "/api/jobs/remove-bg-batch";
const FIRST_FILES = 4;
const FILES = 16;
const BYTES = 24 * 1024 * 1024;
const MAX_UNFINISHED = 64;
const UPLOADS = 2;
// Of photos that wait for their turn, so that a reload loses none of them.
const KEPT_BYTES = 300 * 1024 * 1024;
/** The error of a photo whose bytes were lost with its tab. */
export const GONE = { code: "photo_gone", text: "", solution: "", details: "", retryable: false };

/** Uploads that run, by key. @type {Map<string, {abort: AbortController, ids: string[]}>} */
const running = new Map();
let sentBefore = false;
hooks.settled = pump;

/** Send what waits and may be sent now; called whenever something changes. */
export function pump() {
  const known = facts.peek();
  if (!known) return;
  pumpDirect(pump);
  if (!known.jobs || queueLost.peek()) return;
  const mine = all().filter((doc) => doc.tab === TAB);
  const busy = mine.filter((doc) => !isOver(doc) && doc.state !== "added" && !doc.direct).length;
  let room = MAX_UNFINISHED - busy;
  let waiting = mine.filter((doc) => doc.state === "added" && !doc.direct);
  while (waiting.length && running.size < UPLOADS && room > 0) {
    const chunk = nextChunk(waiting, room, known);
    room -= chunk.length;
    waiting = waiting.filter((doc) => !chunk.includes(doc));
    submit({ key: newId(), ids: chunk.map((doc) => doc.id), options: { ...chunk[0].options }, at: Date.now() });
  }
}

/** The next photos that go in one request: they share their options. @param {Doc[]} waiting @param {number} room @param {api.StudioFacts} known */
function nextChunk(waiting, room, { limits }) {
  const most = Math.min(sentBefore ? FILES : FIRST_FILES, limits.batch_files, room);
  const options = JSON.stringify(waiting[0].options);
  /** @type {Doc[]} */
  const chunk = [];
  let bytes = 0;
  for (const doc of waiting) {
    if (JSON.stringify(doc.options) !== options) continue;
    bytes += doc.bytes;
    if (chunk.length === most || (chunk.length && bytes > Math.min(BYTES, limits.batch_bytes))) break;
    chunk.push(doc);
  }
  sentBefore = true;
  return chunk;
}

/** @param {Submission} submission */
async function submit(submission) {
  const abort = new AbortController();
  running.set(submission.key, { abort, ids: submission.ids });
  together(() => submission.ids.forEach((id) => dispatch(id, { type: "upload" })));
  try {
    await db.put("outbox", submission);
    await sendUntilAnswered(submission, abort.signal);
  } catch (error) {
    // Only what the person has stopped, or a bug, ends here.
    for (const id of submission.ids) if (!abort.signal.aborted) dispatch(id, { type: "fail", error: docError(error) });
  }
  running.delete(submission.key);
  await db.remove("outbox", submission.key);
  pump();
}

/** @param {Submission} submission @param {AbortSignal} signal */
async function sendUntilAnswered(submission, signal) {
  for (let tries = 0; ; tries += 1) {
    await passPause(signal);
    const body = await formOf(submission);
    if (!body) return;
    try {
      const job = await upload(PATH, body, { headers: { "Idempotency-Key": submission.key }, signal, onProgress: (share) => show(submission, share) });
      await accept(submission, job.job_id);
      return;
    } catch (error) {
      if (!passes(error)) return refuse(submission, error);
      await waitFor(error, tries, signal);
      if (queueLost.peek()) return refuse(submission, error);
    }
  }
}

/** @param {Submission} submission @param {number} share */
function show({ ids }, share) {
  together(() => ids.forEach((id) => dispatch(id, { type: "progress", value: Math.round(share * 100) })));
}

/** The request's form; undefined where a photo is not here any more. @param {Submission} submission */
async function formOf({ ids, options }) {
  const body = new FormData();
  for (const id of ids) {
    const doc = peek(id);
    // The request must be the same when it is repeated, also where a photo was removed meanwhile.
    if (!(await hasPhoto(id))) { lose(ids); return undefined; }
    body.append("files", await photoOf(id), `${doc?.path ?? ""}${doc?.name ?? "photo"}`);
  }
  for (const [name, value] of Object.entries(options)) if (value !== "") body.append(name, value);
  return body;
}

/** Photos whose bytes went with the tab. @param {string[]} ids */
async function lose(ids) {
  for (const id of ids) {
    if (await hasPhoto(id)) dispatch(id, { type: "rollback" });
    else dispatch(id, { type: "fail", error: GONE });
  }
}

/** @param {Submission} submission @param {string} job */
async function accept({ ids, options }, job) {
  const items = ids.map((id, index) => ({ id, item: `${job}-${index + 1}` }));
  together(() => items.forEach(({ id, item }) => {
    patch(id, { applied: options });
    dispatch(id, { type: "uploaded", job: { id: job, item, revision: 0 } });
  }));
  // Stopped or removed while they were sent.
  const unwanted = items.filter(({ id }) => (peek(id)?.state ?? "cancelled") === "cancelled");
  if (unwanted.length === items.length) post(`/api/jobs/${job}/cancel`);
  else for (const { item } of unwanted) cancelItem(job, item);
  watchJobs();
}

/** The request was refused for good: each photo gets to know why. @param {Submission} submission @param {unknown} error */
async function refuse({ ids }, error) {
  const splits = error instanceof api.ApiError && error.status === 413 && ids.length > 1;
  for (const id of ids) {
    if (queueLost.peek() || splits) dispatch(id, { type: "rollback" });
    else dispatch(id, { type: "fail", error: docError(error) });
  }
  if (splits) for (const id of ids) await submit({ key: newId(), ids: [id], options: peek(id)?.options ?? {}, at: Date.now() });
}

/** Go on with what an earlier visit had begun. @param {string[]} ids the documents that are this tab's */
export async function resume(ids) {
  const mine = new Set(ids);
  const begun = /** @type {Submission[]} */ (await db.list("outbox")).filter((submission) => submission.ids.some((id) => mine.has(id)));
  const inOutbox = new Set(begun.flatMap((submission) => submission.ids));
  for (const submission of begun) if (!running.has(submission.key)) submit(submission);
  for (const id of ids) {
    const doc = peek(id);
    if (!doc || inOutbox.has(id) || isOver(doc)) continue;
    if (!(await hasPhoto(id)) && !doc.job) await lose([id]);
    else if (!doc.job) dispatch(id, { type: "rollback" });
  }
  watchJobs();
  pump();
}

let keeping = Promise.resolve();

/** Keep the bytes of photos that wait or may be made smaller, as far as there is room, one after another. @param {string[]} ids */
export function keepWaiting(ids) {
  keeping = keeping.then(async () => {
    let bytes = all().filter((doc) => !isOver(doc) && !doc.job).reduce((sum, doc) => sum + doc.bytes, 0) - ids.reduce((sum, id) => sum + (peek(id)?.bytes ?? 0), 0);
    for (const id of ids) {
      const doc = peek(id);
      if (!doc || doc.job || (isOver(doc) && !doc.error?.retryable)) continue;
      bytes += doc.bytes;
      if (bytes > KEPT_BYTES) return;
      await keep(id, { photo: await photoOf(id) });
    }
  });
}

/** Stop photos that have not ended: a job of which nothing else is open as a whole. @param {string[]} ids */
export async function cancel(ids) {
  const open = ids.flatMap((id) => { const doc = peek(id); return doc && !isOver(doc) ? [doc] : []; });
  together(() => open.forEach(({ id }) => {
    stopDirect(id);
    dispatch(id, { type: "cancel" });
  }));
  for (const { abort, ids: sent } of running.values()) if (sent.every((id) => (peek(id)?.state ?? "cancelled") === "cancelled")) abort.abort();
  const others = new Set(all().flatMap((doc) => (doc.job && !isOver(doc) ? [doc.job.id] : [])));
  const whole = new Set(open.flatMap(({ job }) => (job && !others.has(job.id) ? [job.id] : [])));
  await Promise.all([
    ...[...whole].map((job) => post(`/api/jobs/${job}/cancel`)),
    ...open.map(({ job }) => (job && !whole.has(job.id) ? cancelItem(job.id, job.item) : undefined)),
  ]);
  pump();
}

/** @param {string} path */
async function post(path) {
  // It may have ended meanwhile.
  await api.request(path, { method: "POST", keepalive: true }).catch(() => undefined);
}

/** @param {string} job @param {string} item */
async function cancelItem(job, item) {
  await post(`/api/jobs/${job}/items/${item}/cancel`);
}

onForget.add((ids) => {
  const gone = new Set(ids);
  for (const { abort, ids: sent } of running.values()) if (sent.every((id) => gone.has(id))) abort.abort();
});

/** Try a failed or cancelled photo once more: on the server where its job is, otherwise from here. @param {string} id */
export async function retry(id) {
  const doc = peek(id);
  if (!doc) return;
  if (doc.job && doc.state === "failed") {
    try {
      await api.request(`/api/jobs/${doc.job.id}/items/${doc.job.item}/retry`, { method: "POST" });
      dispatch(id, { type: "requeue" });
      watchJobs();
      return;
    } catch (error) {
      if (passes(error)) { patch(id, { error: docError(error) }); return; }
    }
  }
  if (!(await hasPhoto(id)) && !doc.job) return patch(id, { state: "failed", error: GONE });
  await photoOf(id).catch(() => undefined);
  patch(id, { tab: TAB });
  dispatch(id, { type: "retry" });
  pump();
}

api.reachable.subscribe((is) => { if (is) queueMicrotask(pump); });

/** Photos of a lost queue go to the model one by one. */
queueLost.subscribe((is) => {
  if (!is) return;
  for (const doc of all()) {
    if (doc.tab !== TAB || doc.job) continue;
    if (doc.state === "uploading") dispatch(doc.id, { type: "rollback" });
    if (doc.state === "added" || doc.state === "uploading") patch(doc.id, { direct: true });
  }
  queueMicrotask(pump);
});
