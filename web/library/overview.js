// All photos at a glance: which are shown and selected, how far they are, how long it takes.
import { computed, signal } from "../vendor/signals/signals-core.js";
import { say } from "../app/announce.js";
import { isOver } from "../app/events.js";
import { t } from "../app/i18n/index.js";
import { all, changes, counts, onForget, order, peek } from "../app/store.js";
import { etaOf } from "./pace.js";

/** @typedef {"all"|"active"|"completed"|"failed"|"look"} Filter */

/** @type {import("../vendor/signals/signals-core.js").Signal<Set<string>>} */
export const selected = signal(/** @type {Set<string>} */ (new Set()));
/** @type {import("../vendor/signals/signals-core.js").Signal<Filter>} */
export const filter = signal(/** @type {Filter} */ ("all"));
// Results of which the model is less sure are worth a look.
const UNSURE = 0.3;

/** @param {string} id @param {boolean} on */
export function select(id, on) {
  const next = new Set(selected.peek());
  if (on) next.add(id);
  else next.delete(id);
  selected.value = next;
}

export function selectNone() {
  selected.value = new Set();
}

/** Whether a person should look at the result. @param {import("../app/store.js").Doc} doc */
export function isUnsure(doc) {
  return doc.state === "completed" && !doc.edit && doc.result?.confidence !== undefined && doc.result.confidence < UNSURE;
}

/** @param {import("../app/store.js").Doc} doc @param {Filter} wanted */
function passes(doc, wanted) {
  if (wanted === "look") return isUnsure(doc);
  if (wanted === "failed") return doc.state === "failed" || doc.state === "cancelled";
  return wanted === "completed" ? doc.state === "completed" : !isOver(doc);
}

/** @param {Filter} wanted */
function passing(wanted) {
  changes.value;
  return order.value.filter((id) => { const doc = peek(id); return doc && passes(doc, wanted); });
}

/** The ids that the list shows. */
export const shown = computed(() => (filter.value === "all" ? order.value : passing(filter.value)));

/** How many photos a person should look at. */
export const unsure = computed(() => passing("look").length);

/** The photos that actions are for: the selected ones, or all. */
export const targets = computed(() => (selected.value.size ? order.value.filter((id) => selected.value.has(id)) : order.value));

/** The photos that can be downloaded now. @returns {import("../app/store.js").Doc[]} */
export function done() {
  return targets.value.flatMap((id) => { const doc = peek(id); return doc?.state === "completed" ? [doc] : []; });
}

onForget.add((ids) => {
  const next = new Set(selected.peek());
  for (const id of ids) next.delete(id);
  if (next.size !== selected.peek().size) selected.value = next;
});

// Shares of a photo's way: sent, then worked on.
const SENT = 10;
const STEP = 10;
const WINDOW = 12;

/** The photos of this run: since the last time that nothing was open. @type {Set<string>} */
let run = new Set();
let highest = 0;
/** How many of how many results are made again with other looks. */
export const remade = signal(/** @type {{done: number, of: number}|undefined} */ (undefined));

/** Percent of the run's way; never less than before, unless photos are added. */
export const overall = computed(() => {
  changes.value;
  if (remade.value) {
    const { done, of } = remade.value;
    return { percent: Math.floor((100 * done) / of), of, done, failed: 0, open: of - done };
  }
  order.value;
  const open = all().filter((doc) => !isOver(doc)).map((doc) => doc.id);
  if (open.some((id) => !run.has(id))) {
    if (!open.some((id) => run.has(id))) run = new Set();
    for (const id of open) run.add(id);
    highest = 0;
  }
  const docs = all().filter((doc) => run.has(doc.id));
  const share = docs.reduce((sum, doc) => sum + wayOf(doc), 0) / Math.max(1, docs.length);
  highest = Math.max(highest, Math.floor(share));
  return { percent: highest, of: docs.length, done: docs.filter(isOver).length, failed: docs.filter((doc) => doc.state === "failed").length, open: open.length };
});

/** @param {import("../app/store.js").Doc} doc */
function wayOf(doc) {
  if (isOver(doc)) return 100;
  if (doc.state === "added") return 0;
  if (doc.state === "uploading") return (doc.progress * SENT) / 100;
  return SENT + (doc.state === "processing" ? (doc.progress * (100 - SENT)) / 100 : 0);
}

/** When photos ended, newest last. @type {number[]} */
let ends = [];
let doneBefore = 0;
/** Seconds until all is done; undefined while nothing is known. */
export const eta = signal(/** @type {number|undefined} */ (undefined));

/** Take the time of those that have just ended. @param {{done: number, open: number}} now @param {number} [at] */
export function noteTimes({ done, open }, at = performance.now()) {
  if (done < doneBefore || !open) { ends = []; doneBefore = done; }
  for (; doneBefore < done; doneBefore += 1) ends.push(at);
  ends = ends.slice(-WINDOW);
  eta.value = etaOf(ends, open, at);
}

let saidPercent = 0;
/** @type {Set<string>} */
const saidFailures = new Set();

/** Say the start, each tenth, each failure once, and the end. @param {{percent: number, of: number, open: number}} now */
export function announce({ percent, of, open }) {
  for (const doc of all()) {
    if (doc.state !== "failed" || saidFailures.has(doc.id)) continue;
    saidFailures.add(doc.id);
    say(t("item", { name: doc.name, state: t("state_failed") }));
  }
  if (of < 2) return;
  if (!open) {
    if (saidPercent) say(t("all_done", { done: counts.peek().completed, failed: counts.peek().failed }));
    saidPercent = 0;
  } else if (percent - saidPercent >= STEP) {
    saidPercent = percent - (percent % STEP);
    say(t("percent_done", { value: saidPercent }));
  } else if (percent < saidPercent) saidPercent = 0;
}
