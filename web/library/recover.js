// Goes on with what an earlier visit, or a tab that was closed, had begun.
import * as db from "../app/db.js";
import { isOver } from "../app/events.js";
import { knownFacts } from "../app/facts.js";
import { hrefOf, route } from "../app/router.js";
import { all, claim, dispatch, hasPhoto, orphans, peek } from "../app/store.js";
import { openTabs, TAB } from "../app/tabs.js";
import { restoreDefaults } from "./defaults.js";
import { isCurrent } from "./remake.js";
import { lose, pump, running, submit } from "./sender.js";
import { watchJobs } from "./watcher.js";

/** Go on with documents that are this tab's. @param {string[]} mine */
export async function goOn(mine) {
  await Promise.all([knownFacts(), restoreDefaults()]);
  const removed = mine.filter((id) => peek(id)?.removed);
  if (removed.length) await (await import("./removal.js")).finish(removed);
  await resume(mine);
  for (const { id, draft } of all()) if (draft) await handOver(id).catch(() => undefined);
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

/** Take an edit that was saved, and that the list did not have when the tab was closed, into the result. @param {string} id */
async function handOver(id) {
  const [{ savedState }, { encode }, { keepEdit }, { exportOptions }] = await Promise.all([
    import("../editor/autosave.js"), import("../editor/core/png8.js"), import("../editor/keep.js"), import("../editor/options.js")]);
  const saved = await savedState(id);
  // An open editor hands it over when it is left.
  const isOpen = hrefOf(route.peek()) === hrefOf({ name: "edit", id });
  if (saved && !isOpen) await keepEdit(id, await encode(saved.mask), exportOptions(saved.options));
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

/** Take over the photos of tabs that are closed. One that is only loaded again is back before the second look. */
export async function adopt() {
  const found = await orphans();
  const ids = found.filter((id) => alone.has(id) && peek(id)?.tab !== TAB && peek(id)?.removed !== TAB);
  alone = new Set(found);
  if (ids.length) await goOn(claim(ids));
}
