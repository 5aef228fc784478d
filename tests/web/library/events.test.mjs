// Every state with every event: what becomes of a photo.
import assert from "node:assert/strict";
import { test } from "node:test";
import { merge, reduce } from "../../../web/app/events.js";

const JOB = { id: "j", item: "j-1", revision: 0 };
const RESULT = { width: 4, height: 3, bytes: 9, format: "png", model: "u2netp" };
const ERROR = { code: "corrupt_image", text: "", solution: "", details: "", retryable: true };
const STATES = ["added", "uploading", "queued", "processing", "completed", "failed", "cancelled"];
const EVENTS = {
  upload: { type: "upload" }, uploaded: { type: "uploaded", job: JOB }, queue: { type: "queue" }, start: { type: "start", progress: 40 },
  finish: { type: "finish", result: RESULT }, fail: { type: "fail", error: ERROR }, cancel: { type: "cancel" }, retry: { type: "retry" },
  requeue: { type: "requeue" }, rework: { type: "rework" }, rollback: { type: "rollback" },
};
// The state after each event, in the order of STATES; "." where nothing changes.
const TABLE = {
  upload: ["uploading", "uploading", "uploading", "uploading", ".", ".", "."],
  uploaded: ["queued", "queued", "queued", "queued", ".", ".", "."],
  queue: ["queued", "queued", ".", "queued", ".", ".", "."],
  start: ["processing", "processing", "processing", "processing", ".", ".", "."],
  finish: ["completed", "completed", "completed", "completed", "completed", "completed", "."],
  fail: ["failed", "failed", "failed", "failed", ".", ".", "."],
  cancel: ["cancelled", "cancelled", "cancelled", "cancelled", ".", ".", "."],
  retry: [".", ".", ".", ".", ".", "added", "added"],
  requeue: [".", ".", ".", ".", ".", "queued", "queued"],
  rework: [".", ".", ".", ".", "processing", ".", "."],
  rollback: ["added", "added", "added", "added", ".", ".", "."],
};

const doc = (state, more = {}) => ({ id: "1", name: "a.jpg", path: "", bytes: 1, type: "", addedAt: 0, state, progress: 0, attempts: 0, options: {}, ...more });

for (const [name, after] of Object.entries(TABLE)) {
  test(`${name} leads where the table says`, () => {
    STATES.forEach((state, index) => {
      const wanted = after[index] === "." ? state : after[index];
      assert.equal(reduce(doc(state), EVENTS[name]).state, wanted, state);
    });
  });
}

test("progress never goes back", () => {
  let now = doc("processing", { progress: 60 });
  now = reduce(now, { type: "progress", value: 20 });
  assert.equal(now.progress, 60);
  assert.equal(reduce(now, { type: "start", progress: 10 }).progress, 60);
});

test("a cancelled photo keeps its job, so that it can be cancelled there", () => {
  assert.deepEqual(reduce(doc("cancelled"), EVENTS.uploaded).job, JOB);
});

test("a retry counts, and forgets error, result and job", () => {
  const again = reduce(doc("failed", { error: ERROR, job: JOB, attempts: 1 }), EVENTS.retry);
  assert.deepEqual([again.attempts, again.error, again.job, again.result], [2, undefined, undefined, undefined]);
});

test("a result brings its revision", () => {
  assert.equal(reduce(doc("processing", { job: JOB }), { ...EVENTS.finish, revision: 3 }).job.revision, 3);
});

test("an end stays where late news of another tab crosses it", () => {
  const held = doc("completed", { result: RESULT, job: JOB, progress: 100, thumb: "picture", thumbKey: "1/after" });
  const late = merge(held, doc("processing", { before: "small", job: JOB }));
  assert.deepEqual([late.state, late.result, late.thumb, late.thumbKey, late.before], ["completed", RESULT, "picture", "1/after", "small"]);
  assert.equal(merge(held, doc("processing", { stage: "compose", job: JOB })).state, "processing");
  assert.equal(merge(doc("failed"), doc("added", { attempts: 1 })).state, "added");
  assert.equal(merge(doc("queued"), doc("processing")).state, "processing");
});

test("a picture added in another tab brings back no earlier state", () => {
  const held = doc("queued", { job: JOB, moves: 2, applied: { format: "png" } });
  const other = merge(held, doc("uploading", { before: "small", moves: 1 }));
  assert.deepEqual([other.state, other.job, other.before, other.moves, other.applied], ["queued", JOB, "small", 2, { format: "png" }]);
  // A rollback is later.
  assert.equal(merge(held, doc("added", { moves: 3 })).state, "added");
});

test("a photo that was removed comes back by undoing alone", () => {
  const removed = doc("queued", { removed: "one", moves: 2 });
  // News of a tab that did not know of it: earlier, and at the same time.
  assert.equal(merge(removed, doc("queued", { before: "small", moves: 1 })).removed, "one");
  assert.equal(merge(removed, doc("processing", { moves: 2 })).removed, "one");
  assert.equal(merge(doc("processing", { moves: 2 }), removed).removed, "one");
  assert.equal(merge(removed, doc("queued", { moves: 3 })).removed, undefined);
  assert.equal(merge(doc("queued", { moves: 3 }), removed).removed, undefined);
});

test("a result that is made again is kept where that is stopped", () => {
  const held = doc("processing", { stage: "compose", job: JOB, result: RESULT, options: { background: "ffffff" }, applied: {} });
  const stopped = reduce(held, EVENTS.cancel);
  assert.deepEqual([stopped.state, stopped.stage, stopped.result, stopped.job, stopped.options], ["completed", undefined, RESULT, JOB, {}]);
  // An edit is not undone by that.
  assert.deepEqual(reduce({ ...held, stale: 1 }, EVENTS.cancel).options, { background: "ffffff" });
});

test("the result of another job is without the edit of a photo", () => {
  const edited = { job: JOB, edit: { revision: 3, options: {} } };
  for (const state of ["failed", "cancelled"]) assert.equal(reduce(doc(state, edited), EVENTS.retry).stale, 1, state);
  assert.equal(reduce(doc("processing", edited), EVENTS.rollback).stale, 1);
  assert.equal(reduce(doc("failed", { job: JOB, ground: new Blob() }), EVENTS.requeue).stale, 1);
  assert.equal(reduce(doc("failed", { job: JOB }), EVENTS.retry).stale, undefined);
});
