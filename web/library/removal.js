// Removes photos: from the list at once; some seconds later for good, on the server too. Until then it can be undone.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { offer, say } from "../app/announce.js";
import { t } from "../app/i18n/index.js";
import { route } from "../app/router.js";
import { arrange, docs, flush, forget, patch, peek, together } from "../app/store.js";
import { TAB } from "../app/tabs.js";
import { moreTexts } from "./failures.js";
import { select } from "./overview.js";
import { cancel } from "./cancel.js";
import { erase, itemPath, jobPath } from "./deletion.js";
import { pump } from "./sender.js";
import { watchJobs } from "./watcher.js";

const UNDO_MS = 10_000;

/** Photos that can still be brought back. @type {import("../vendor/signals/signals-core.js").Signal<string[]>} */
const removed = signal(/** @type {string[]} */ ([]));
/** @type {ReturnType<typeof setTimeout>|undefined} */
let timer;

await moreTexts();
offer.value = notice;
addEventListener("keydown", byKey);
// A page that is closed has nothing to undo.
addEventListener("pagehide", () => { finish(); });

/** Take photos off the list, and offer to undo it. @param {string[]} ids */
export function removePhotos(ids) {
  const next = besides(document.activeElement?.closest("li"));
  mark(ids, TAB);
  removed.value = [...removed.peek(), ...ids];
  wait();
  say(`${text()} ${t("undo_key")}`);
  focusOn(next);
}

/** Bring back what can be. */
function undo() {
  const ids = removed.peek();
  removed.value = [];
  clearTimeout(timer);
  mark(ids, undefined);
  pump();
  watchJobs();
  say(t("removed_undone", { count: ids.length }));
  requestAnimationFrame(() => focusOn(document.querySelector("li.tile")));
}

/** Remove photos for good, here and on the server; a job of which no photo is left is deleted as a whole. @param {string[]} [ids] */
export async function finish(ids = removed.peek()) {
  removed.value = removed.peek().filter((id) => !ids.includes(id));
  clearTimeout(timer);
  if (!ids.length) return;
  const gone = new Set(ids);
  const kept = new Set([...docs].flatMap(([id, doc]) => (gone.has(id) ? [] : doc.peek().job?.id ?? [])));
  const paths = new Set(ids.flatMap((id) => {
    const job = peek(id)?.job;
    return job ? [kept.has(job.id) ? itemPath(job) : jobPath(job.id)] : [];
  }));
  await Promise.all([cancel(ids.filter((id) => !peek(id)?.job)), forget(ids), erase([...paths])]);
}

/** @param {string[]} ids @param {string|undefined} by */
function mark(ids, by) {
  together(() => {
    for (const id of ids) {
      select(id, false);
      patch(id, { removed: by, moves: (peek(id)?.moves ?? 0) + 1 });
    }
    arrange();
  });
  // At once: a page that is closed may have no time for it.
  flush();
}

/** Count the time from now on. */
function wait() {
  clearTimeout(timer);
  timer = setTimeout(() => finish(), UNDO_MS);
}

/** The photo that takes the place of one in the list. @param {Element|null|undefined} tile */
function besides(tile) {
  return tile?.nextElementSibling ?? tile?.previousElementSibling;
}

/** Keep the focus among the photos. @param {Element|null|undefined} tile */
function focusOn(tile) {
  const button = /** @type {HTMLElement|null|undefined} */ (tile?.querySelector(".actions button:last-child"));
  (button ?? document.getElementById("photos") ?? document.getElementById("view"))?.focus({ preventScroll: !button });
}

/** @param {KeyboardEvent} event */
function byKey(event) {
  const wanted = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
  if (!wanted || !removed.peek().length || route.peek().name !== "library" || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  undo();
}

function text() {
  const ids = removed.value;
  return t("removed_photos", { count: ids.length, name: peek(ids[0])?.name ?? "" });
}

function notice() {
  if (!removed.value.length || route.value.name !== "library") return nothing;
  // The time stops while the pointer or the focus is on it.
  return html`<aside class="notice banner undo" aria-label=${t("removal")} @pointerenter=${() => clearTimeout(timer)} @pointerleave=${wait} @focusin=${() => clearTimeout(timer)} @focusout=${wait}>
    <span>${text()}</span><button type="button" class="button" aria-keyshortcuts="Control+Z" title=${t("undo_key")} @click=${undo}>${t("undo")}</button></aside>`;
}
