// What happens to a photo: states and the events between them. Pure.

/**
 * @typedef {import("./store.js").Doc} Doc
 * @typedef {import("./store.js").DocError} DocError
 * @typedef {{id: string, item: string, revision: number}} JobItem
 * @typedef {{type: "upload"} | {type: "uploaded", job: JobItem} | {type: "progress", value: number} | {type: "queue"} |
 *   {type: "start", stage?: string, progress?: number, eta?: number} | {type: "finish", result: NonNullable<Doc["result"]>, revision?: number} |
 *   {type: "fail", error: DocError} | {type: "cancel"} | {type: "retry"} | {type: "requeue"} | {type: "rework"} | {type: "rollback"}} DocEvent
 */

const OVER = new Set(["completed", "failed", "cancelled"]);

/** Whether nothing more happens to it by itself. @param {{state: string}} doc */
export function isOver(doc) {
  return OVER.has(doc.state);
}

/**
 * A document as another tab has it. Updates from two tabs may cross: what happened later stays, and so do an end and pictures that are known here.
 * @param {Doc} held @param {Doc} heard @returns {Doc}
 */
export function merge(held, heard) {
  const { state, stage, progress, eta, result, error, job, attempts, applied, moves } = held;
  const late = isOver(held) && !isOver(heard) && heard.attempts === held.attempts && heard.stage !== "compose";
  // The other tab changed something else, before it knew of the last events.
  const older = (heard.moves ?? 0) < (moves ?? 0);
  // A photo that was removed meanwhile stays removed.
  const removed = older ? held.removed : heard.removed ?? (heard.moves === moves ? held.removed : undefined);
  const now = late || older ? { ...heard, state, stage, progress, eta, result, error, job, attempts, applied, moves } : heard;
  const pictures = now.thumb ? {} : { thumb: held.thumb, thumbKey: held.thumbKey };
  return { ...now, ...pictures, removed, before: now.before ?? held.before };
}

/** The document after an event; the same one where the event does not apply. @param {Doc} doc @param {DocEvent} event @returns {Doc} */
export function reduce(doc, event) {
  const over = isOver(doc);
  switch (event.type) {
    case "upload":
      return over ? doc : { ...doc, state: "uploading", progress: 0, error: undefined };
    case "progress":
      return doc.state === "uploading" || doc.state === "processing" ? { ...doc, progress: Math.max(doc.progress, event.value) } : doc;
    case "uploaded":
      return over ? { ...doc, job: event.job } : { ...doc, state: "queued", progress: 0, job: event.job };
    case "queue":
      return over || doc.state === "queued" ? doc : { ...doc, state: "queued", stage: undefined, progress: 0, eta: undefined };
    case "start":
      return over ? doc : started(doc, event);
    case "finish":
      return doc.state === "cancelled" ? doc : finished(doc, event);
    case "fail":
      return over ? doc : { ...doc, state: "failed", stage: undefined, eta: undefined, error: event.error };
    case "cancel":
      return over ? doc : doc.stage === "compose" ? kept(doc) : { ...doc, state: "cancelled", stage: undefined, eta: undefined };
    case "retry":
      return doc.state === "failed" || doc.state === "cancelled" ? { ...again(doc), state: "added", job: undefined } : doc;
    case "requeue":
      return doc.state === "failed" || doc.state === "cancelled" ? { ...again(doc), state: "queued" } : doc;
    case "rework":
      return doc.state === "completed" ? { ...doc, state: "processing", stage: "compose", progress: 50 } : doc;
    case "rollback":
      // The upload ended without an answer: it is sent once more.
      return over ? doc : { ...doc, state: "added", stage: undefined, progress: 0, eta: undefined, job: undefined, stale: unmade(doc) };
  }
}

/** @param {Doc} doc @param {{stage?: string, progress?: number, eta?: number}} event @returns {Doc} */
function started(doc, { stage, progress = 0, eta }) {
  const before = doc.state === "processing" ? doc.progress : 0;
  return { ...doc, state: "processing", stage: stage ?? doc.stage, eta, progress: Math.max(before, progress) };
}

/** @param {Doc} doc @param {{result: NonNullable<Doc["result"]>, revision?: number}} event @returns {Doc} */
function finished(doc, { result, revision }) {
  const job = doc.job && revision !== undefined ? { ...doc.job, revision } : doc.job;
  return { ...doc, state: "completed", stage: undefined, eta: undefined, progress: 100, error: undefined, result, job };
}

/** The previous result stays where it is not made again. @param {Doc} doc @returns {Doc} */
function kept(doc) {
  return { ...doc, state: "completed", stage: undefined, progress: 100, options: (!doc.stale && doc.applied) || doc.options };
}

/** @param {Doc} doc @returns {Doc} */
function again(doc) {
  return { ...doc, stage: undefined, progress: 0, eta: undefined, error: undefined, result: undefined, attempts: doc.attempts + 1, stale: unmade(doc) };
}

/** A restarted job has no edit, and no picture of the user's. @param {Doc} doc */
function unmade({ edit, ground, stale = 0 }) {
  return edit || ground ? stale + 1 : stale || undefined;
}
