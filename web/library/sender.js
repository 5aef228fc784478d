// Sends photos as jobs: few at a time, each request stored before it is sent, so that none is lost or doubled.
import * as api from "../app/api.js";
import * as db from "../app/db.js";
import { isOver } from "../app/events.js";
import { facts } from "../app/facts.js";
import { all, dispatch, newId, onForget, patch, peek, together } from "../app/store.js";
import { hasPhoto, keep, photoOf } from "../app/photos.js";
import { TAB } from "../app/tabs.js";
import { upload } from "../app/upload.js";
import { SHRINKS } from "./failures.js";
import { docError, passes, passPause, queueLost, waitFor } from "./pace.js";
import { pumpDirect } from "./direct.js";
import { hooks, watchJobs } from "./watcher.js";

/**
 * @typedef {import("../app/store.js").Doc} Doc
 * @typedef {{key: string, ids: string[], options: import("../app/store.js").Options, at: number}} Submission one request for a job
 */

const PATH = "/api/jobs/remove-bg-batch";
const FIRST_FILES = 4;
const BYTES = 24 * 1024 * 1024;
const MAX_UNFINISHED = 64;
const UPLOADS = 2;
// Of photos that wait for their turn, so that a reload loses none of them.
const KEPT_BYTES = 300 * 1024 * 1024;
/** The error of a photo whose bytes were lost with its tab. */
export const GONE = { code: "photo_gone", text: "", solution: "", details: "", retryable: false };

/** Uploads that run, by key. @type {Map<string, {abort: AbortController, ids: string[]}>} */
export const running = new Map();
let sentBefore = false;
/** Files of a request; fewer where a proxy takes no larger ones. */
let most = 16;
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
  const count = Math.min(sentBefore ? most : FIRST_FILES, most, limits.batch_files, room);
  const options = JSON.stringify(waiting[0].options);
  /** @type {Doc[]} */
  const chunk = [];
  let bytes = 0;
  for (const doc of waiting) {
    if (JSON.stringify(doc.options) !== options) continue;
    bytes += doc.bytes;
    if (chunk.length === count || (chunk.length && bytes > Math.min(BYTES, limits.batch_bytes))) break;
    chunk.push(doc);
  }
  sentBefore = true;
  return chunk;
}

/** @param {Submission} submission */
export async function submit(submission) {
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
    if (!(await hasPhoto(id))) { await lose(ids); return undefined; }
    body.append("files", await photoOf(id), `${doc?.path ?? ""}${doc?.name ?? "photo"}`);
  }
  for (const [name, value] of Object.entries(options)) if (value !== "") body.append(name, value);
  return body;
}

/** Photos whose bytes went with the tab. @param {string[]} ids */
export async function lose(ids) {
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
  const unwanted = items.filter(({ id }) => isStopped(id));
  if (unwanted.length) import("./cancel.js").then(({ leave }) => leave(job, unwanted, items));
  watchJobs();
}

/** The request was refused for good: each photo gets to know why. @param {Submission} submission @param {unknown} error */
async function refuse({ ids }, error) {
  const splits = error instanceof api.ApiError && error.status === 413 && ids.length > 1;
  if (splits) most = Math.min(most, Math.ceil(ids.length / 2));
  for (const id of ids) {
    if (queueLost.peek() || splits) dispatch(id, { type: "rollback" });
    else dispatch(id, { type: "fail", error: docError(error) });
  }
}

let keeping = Promise.resolve();

/** Keep the bytes of photos that wait or may be made smaller, as far as there is space, one after another. @param {string[]} ids */
export function keepWaiting(ids) {
  keeping = keeping.then(async () => {
    let bytes = all().filter((doc) => !isOver(doc) && !doc.job).reduce((sum, doc) => sum + doc.bytes, 0) - ids.reduce((sum, id) => sum + (peek(id)?.bytes ?? 0), 0);
    for (const id of ids) {
      const doc = peek(id);
      if (!doc || doc.job || (isOver(doc) && !SHRINKS.has(doc.error?.code ?? ""))) continue;
      bytes += doc.bytes;
      if (bytes > KEPT_BYTES) return;
      // A copy: some browsers keep a file as its place on the disk.
      await photoOf(id).then(async (photo) => keep(id, { photo: new Blob([await photo.arrayBuffer()], photo) })).catch(() => undefined);
    }
  });
}

/** Whether it was stopped or removed. @param {string} id */
function isStopped(id) {
  return (peek(id)?.state ?? "cancelled") === "cancelled";
}

/** Stop the uploads of which every photo was stopped or removed. */
export function stopUploads() {
  for (const { abort, ids } of running.values()) if (ids.every(isStopped)) abort.abort();
}

onForget.add(stopUploads);

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
