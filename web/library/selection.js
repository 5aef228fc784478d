// Which photos are selected, and which of them the list shows.
import { computed, signal } from "../vendor/signals/signals-core.js";
import { changes, onForget, order, peek } from "../app/store.js";

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
  if (wanted === "all") return true;
  if (wanted === "look") return isUnsure(doc);
  if (wanted === "failed") return doc.state === "failed" || doc.state === "cancelled";
  if (wanted === "completed") return doc.state === "completed";
  return doc.state !== "completed" && doc.state !== "failed" && doc.state !== "cancelled";
}

/** The ids that the list shows. */
export const shown = computed(() => {
  changes.value;
  const wanted = filter.value;
  return wanted === "all" ? order.value : order.value.filter((id) => { const doc = peek(id); return doc && passes(doc, wanted); });
});

/** How many photos a person should look at. */
export const unsure = computed(() => {
  changes.value;
  return order.value.filter((id) => { const doc = peek(id); return doc && isUnsure(doc); }).length;
});

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
