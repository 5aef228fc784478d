// Goes on with what an earlier visit, or a tab that was closed, had begun.
import * as db from "../app/db.js";
import { isOver } from "../app/events.js";
import { knownFacts } from "../app/api.js";
import { hrefOf, route } from "../app/router.js";
import { hasPhoto } from "../app/photos.js";
import { all, dispatch, docs, patch, peek } from "../app/store.js";
import { broadcast, hear, LOCK, TAB } from "../app/tabs.js";
import { restoreDefaults } from "./actions.js";
import { isCurrent } from "./remake.js";
import { isSent, pump, running, submit } from "./sender.js";
import { GONE } from "./pace.js";
import { lose, watchJobs } from "./watcher.js";

/** How long an editor that may be hidden has to answer. */
const EDITOR_MS = 1000;
/** How long other tabs have to answer. */
const TABS_MS = 1500;

/** Go on with the documents that are this tab's, and with those of closed tabs. */
export async function start() {
  await goOn(claim(await orphans()));
}

/** Go on with documents that are this tab's: send them, or forget those that were removed. @param {string[]} mine */
async function goOn(mine) {
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
  const halfway = new Set(ids.filter((id) => peek(id)?.state !== "added" && !isSent(id)));
  for (const submission of begun) if (!running.has(submission.key)) submit(submission);
  for (const id of ids) {
    const doc = peek(id);
    if (!doc || inOutbox.has(id) || isOver(doc) || doc.job) continue;
    if (!(await hasPhoto(id))) await lose([id], GONE);
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
  return lease.isElsewhere(EDITOR_MS).finally(() => lease.close());
}

/** @param {string} id */
async function handOver(id) {
  const [{ savedState }, { keepEdit }] = await Promise.all([import("../editor/autosave.js"), import("../editor/keep.js")]);
  const saved = await savedState(id);
  if (!saved) patch(id, { draft: undefined });
  else await keepEdit(id, saved.mask, saved.options);
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

/** The documents that wait, and are this tab's or those of closed tabs. */
async function orphans() {
  const open = [...docs.values()].map((held) => held.peek()).filter((doc) => doc.removed || !isOver(doc));
  const others = open.some((doc) => ownerOf(doc) !== TAB) ? await openTabs() : new Set();
  return open.filter((doc) => ownerOf(doc) === TAB || !others.has(ownerOf(doc))).map(({ id }) => id);
}

/** Make documents this tab's. @param {string[]} ids */
function claim(ids) {
  for (const id of ids) if (peek(id)?.tab !== TAB) patch(id, { tab: TAB });
  return ids;
}

/** @param {import("../app/store.js").Doc} doc */
function ownerOf({ removed, tab = "" }) {
  return removed ?? tab;
}

/** @type {Promise<Set<string>>|undefined} */
let asking;

/** The ids of the other tabs that are open. @returns {Promise<Set<string>>} */
async function openTabs() {
  if (navigator.locks) {
    const { held } = await navigator.locks.query();
    return new Set((held ?? []).flatMap(({ name }) => (name?.startsWith(LOCK) ? [name.slice(LOCK.length)] : [])));
  }
  return asking ??= new Promise((resolve) => {
    const found = new Set();
    hear("here", (id) => found.add(id));
    broadcast("who", TAB);
    setTimeout(() => { asking = undefined; resolve(found); }, TABS_MS);
  });
}
