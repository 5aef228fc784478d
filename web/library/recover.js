// Goes on with what an earlier visit, or a tab that was closed, had begun.
import * as db from "../app/db.js";
import { isOver } from "../app/events.js";
import { knownFacts } from "../app/facts.js";
import { hrefOf, route } from "../app/router.js";
import { all, claim, dispatch, hasPhoto, orphans, patch, peek } from "../app/store.js";
import { openTabs, TAB } from "../app/tabs.js";
import { restoreDefaults } from "./defaults.js";
import { isCurrent } from "./remake.js";
import { lose, pump, running, submit } from "./sender.js";
import { watchJobs } from "./watcher.js";

/** How long a tab that may be hidden has to answer. */
const ANSWER_MS = 1000;

/** Go on with documents that are this tab's. @param {string[]} mine */
export async function goOn(mine) {
  await Promise.all([knownFacts(), restoreDefaults()]);
  const removed = mine.filter((id) => peek(id)?.removed);
  if (removed.length) await (await import("./removal.js")).finish(removed);
  await resume(mine);
  await handOverAll();
  await remakeOld();
}

/** Send what was not sent. @param {string[]} ids */
async function resume(ids) {
  const mine = new Set(ids);
  const begun = /** @type {import("./sender.js").Submission[]} */ (await db.list("outbox")).filter((submission) => submission.ids.some((id) => mine.has(id)));
  const inOutbox = new Set(begun.flatMap((submission) => submission.ids));
  // Those that wait are sent by now, perhaps.
  const halfway = new Set(ids.filter((id) => peek(id)?.state !== "added" && ![...running.values()].some((upload) => upload.ids.includes(id))));
  for (const submission of begun) if (!running.has(submission.key)) submit(submission);
  for (const id of ids) {
    const doc = peek(id);
    if (!doc || inOutbox.has(id) || isOver(doc) || doc.job) continue;
    if (!(await hasPhoto(id))) await lose([id]);
    else if (halfway.has(id)) dispatch(id, { type: "rollback" });
  }
  watchJobs();
  pump();
}

/** Take edits that were saved, and that the list did not have when their tab was closed, into the results. */
async function handOverAll() {
  for (const { id, draft } of all()) if (draft && !(await isEdited(id))) await handOver(id).catch(() => undefined);
}

/** Whether an editor has it, which hands it over when it is left. @param {string} id @returns {Promise<boolean>} */
async function isEdited(id) {
  if (hrefOf(route.peek()) === hrefOf({ name: "edit", id })) return true;
  const { Lease } = await import("../editor/lease.js");
  const lease = new Lease(id);
  return lease.isElsewhere(ANSWER_MS).finally(() => lease.close());
}

/** @param {string} id */
async function handOver(id) {
  const [{ savedState }, { encode }, { keepEdit }, { exportOptions }] = await Promise.all([
    import("../editor/autosave.js"), import("../editor/core/png8.js"), import("../editor/keep.js"), import("../editor/options.js")]);
  const saved = await savedState(id);
  if (!saved) patch(id, { draft: undefined });
  else await keepEdit(id, await encode(saved.mask), exportOptions(saved.options));
}

/** Make results again that have other options or another mask than their photos. */
async function remakeOld() {
  const old = all().filter((doc) => doc.job && doc.result && !isCurrent(doc));
  if (!old.length) return;
  const others = await openTabs();
  const ids = old.filter(({ tab = "" }) => tab === TAB || !others.has(tab)).map(({ id }) => id);
  (await import("./results.js")).remakeAll(ids);
}

/** Those that had no tab a moment ago. @type {Set<string>} */
let alone = new Set();

/** Take over the photos and edits of tabs that are closed. One that is only loaded again is back before the second look. */
export async function adopt() {
  const found = await orphans();
  const ids = found.filter((id) => alone.has(id) && peek(id)?.tab !== TAB && peek(id)?.removed !== TAB);
  alone = new Set(found);
  if (ids.length) await goOn(claim(ids));
  else await handOverAll();
}
