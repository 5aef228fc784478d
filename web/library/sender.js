// Sends photos as jobs: few at a time, each request stored before it is sent, so that none is lost or doubled.
import * as api from "../app/api.js";
import { part } from "../app/connection.js";
import * as db from "../app/db.js";
import { isOver } from "../app/events.js";
import { all, dispatch, onForget, patch, peek, together } from "../app/store.js";
import { hasPhoto, keep, photoOf } from "../app/photos.js";
import { newId, TAB } from "../app/tabs.js";
import { docError, GONE, passes, passPause, queueLost, SHRINKS, waitFor } from "./pace.js";
import { hooks, lose, watchJobs } from "./watcher.js";

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

/** Uploads that run, by key. @type {Map<string, {abort: AbortController, ids: string[]}>} */
export const running = new Map();
let sentBefore = false;
/** Files of a request; fewer where a proxy takes no larger ones. */
let most = 16;
hooks.settled = pump;

/** Send what waits and may be sent now; called whenever something changes. */
export function pump() {
  const known = api.facts.peek();
  if (!known) return;
  const mine = all().filter((doc) => doc.tab === TAB);
  const byJobs = known.jobs && !queueLost.peek();
  if (mine.some((doc) => doc.state === "added" && (doc.direct || !byJobs))) {
    part(() => import("./direct.js")).then(({ pumpDirect }) => pumpDirect(pump), () => undefined);
  }
  if (!byJobs) return;
  const busy = mine.filter((doc) => !isOver(doc) && doc.state !== "added" && !doc.direct).length;
  let room = MAX_UNFINISHED - busy;
  // One that was stopped and is wanted again may get the job of the first upload.
  let waiting = mine.filter((doc) => doc.state === "added" && !doc.direct && !isSent(doc.id));
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
      return await accept(submission, (await upload(submission, body, signal)).job_id);
    } catch (error) {
      if (!passes(error)) return refuse(submission, error);
      await waitFor(error, tries, signal);
      if (queueLost.peek()) return refuse(submission, error);
    }
  }
}

/** POST the form and show how far it is, which fetch can't say. @param {Submission} submission @param {FormData} body @param {AbortSignal} signal @returns {Promise<{job_id: string}>} */
async function upload({ key, ids }, body, signal) {
  const call = new XMLHttpRequest();
  call.open("POST", PATH);
  call.responseType = "json";
  call.setRequestHeader("Idempotency-Key", key);
  if (api.apiKey()) call.setRequestHeader("X-Api-Key", api.apiKey());
  call.upload.onprogress = ({ loaded, total }) => together(() => ids.forEach((id) => dispatch(id, { type: "progress", value: Math.round((100 * loaded) / total) })));
  signal.onabort = () => call.abort();
  // From here on the server may have made the job: only the answer has the id by which it is deleted.
  call.upload.onload = () => { signal.onabort = null; };
  await new Promise((ended) => { call.onloadend = ended; call.send(body); });
  if (!call.status) signal.throwIfAborted();
  api.reachable.value = call.status > 0;
  if (!call.status) throw api.unreachable();
  if (call.status === 401) {
    // `request` asks for a key and repeats.
    return (await api.request(PATH, { method: "POST", body, headers: { "Idempotency-Key": key }, signal })).json();
  }
  if (call.status >= 300) throw api.errorFrom(call.status, call.response ?? {}, call.getResponseHeader("Retry-After"));
  return call.response;
}

/** The request's form; undefined where a photo is not here any more. @param {Submission} submission */
async function formOf({ ids, options }) {
  const body = new FormData();
  for (const id of ids) {
    const doc = peek(id);
    // The request must be the same when it is repeated, also where a photo was removed meanwhile.
    if (!(await hasPhoto(id))) { await lose(ids, GONE); return undefined; }
    body.append("files", await photoOf(id), `${doc?.path ?? ""}${doc?.name ?? "photo"}`);
  }
  for (const [name, value] of Object.entries(options)) if (value !== "") body.append(name, value);
  return body;
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
  if (unwanted.length) part(() => import("./cancel.js")).then(({ leave }) => leave(job, unwanted, items));
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
/** Photos whose bytes only this page has. @type {Set<string>} */
const unkept = new Set();

// The browser asks before it leaves a page that is the only one to have a photo.
addEventListener("beforeunload", (event) => { if (all().some((doc) => unkept.has(doc.id) && !isOver(doc) && !doc.job)) event.preventDefault(); });

/** Keep the bytes of photos that wait or may be made smaller, as far as there is space, one after another. @param {string[]} ids */
export function keepWaiting(ids) {
  for (const id of ids) unkept.add(id);
  keeping = keeping.then(async () => {
    let bytes = 0;
    for (const doc of all()) if (!isOver(doc) && !doc.job && !ids.includes(doc.id)) bytes += doc.bytes;
    for (const id of ids) {
      const doc = peek(id);
      if (!doc || doc.job || (isOver(doc) && !SHRINKS.has(doc.error?.code ?? ""))) continue;
      bytes += doc.bytes;
      if (bytes > KEPT_BYTES) return;
      // A copy: some browsers keep a file as its place on the disk.
      await photoOf(id).then(async (photo) => (await keep(id, { photo: new Blob([await photo.arrayBuffer()], photo) })) && (await db.isPersistent()) && unkept.delete(id)).catch(() => undefined);
    }
  });
}

/** Whether an upload has it. @param {string} id */
export function isSent(id) {
  return [...running.values()].some(({ ids }) => ids.includes(id));
}

/** Whether it was stopped or removed. @param {string} id */
function isStopped(id) {
  return (peek(id)?.state ?? "cancelled") === "cancelled";
}

/** Stop the uploads of which every photo was stopped or removed; what is sent as a whole is left by its answer. */
export function stopUploads() {
  for (const { abort, ids } of running.values()) if (ids.every(isStopped)) abort.abort();
}

onForget.add(stopUploads);

api.reachable.subscribe((is) => { if (is) queueMicrotask(pump); });

// Photos of a lost queue go to the model one by one.
queueLost.subscribe((is) => { if (is) queueMicrotask(pump); });
