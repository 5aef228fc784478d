// The view of all photos; loaded with the first of them.
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { effect } from "../vendor/signals/signals-core.js";
import { speaker, t } from "../app/i18n/index.js";
import { isOver } from "../app/events.js";
import { facts } from "../app/api.js";
import { loadedLater, part } from "../app/connection.js";
import { all, counts, order } from "../app/store.js";
import { leads, TAB } from "../app/tabs.js";
import { leftOut, looking } from "./actions.js";
import { bulkPanel } from "./bulk.js";
import { prepareEditing } from "./drop.js";
import { chooseFolder, choosePhotos } from "./library.js";
import { PhotoList } from "./list.js";
import { pause, queueLost } from "./pace.js";
import { announce, eta, filter, noteTimes, overall, selected, shown, unsure } from "./overview.js";

/** @typedef {import("./overview.js").Filter} Filter */

/** @param {HTMLElement} root @returns {{close(): void}} */
export function openBatch(root) {
  /** @type {PhotoList|undefined} */
  let list;
  const stops = [
    effect(() => { render(library(), root); }),
    effect(() => {
      const ids = shown.value;
      const element = /** @type {HTMLUListElement|null} */ (root.querySelector("ul.photos"));
      if (list && list.list !== element) { list.close(); list = undefined; }
      if (element) (list ??= new PhotoList(element)).show(ids);
    }),
    effect(() => { const now = overall.value; noteTimes(now); announce(now); drawBar(root, now.percent); }),
  ];
  return { close() { for (const stop of stops) stop(); list?.close(); render(nothing, root); } };
}

function library() {
  return html`<div class="library">
    <div class="library-head"><h1>${t("your_photos")}</h1><div class="buttons">${choosePhotos("")}${chooseFolder("")}</div></div>
    ${notices()}
    ${progressCard()}
    ${failures()}
    <div class="columns">
      <section class="photos-region" id="photos" tabindex="-1" aria-label=${t("photos")}>
        ${filters()}
        <ul class="photos"></ul>
        ${shown.value.length ? nothing : html`<p class="soft nothing">${t("none_here")}</p>`}
      </section>
      ${bulkPanel()}
    </div>
  </div>`;
}

const PREPARE_MS = 1000;
const ADOPT_MS = 3000;

const failedPanel = loadedLater(async () => (await import("./failed.js")).failedPanel);
const lines = loadedLater(async () => (await import("./notices.js")).notices);

function failures() {
  return counts.value.failed ? failedPanel() : nothing;
}

function notices() {
  const known = facts.value;
  return pause.value || queueLost.value || leftOut.value || looking.value || (known?.quotas && !known.jobs) ? lines() : nothing;
}

function progressCard() {
  const { percent, done, of, failed, open } = overall.value;
  if (!open) return nothing;
  const left = eta.value === undefined ? "" : t("time_left", { time: speaker().duration(eta.value) });
  return html`<div class="progress-card panel">
    <p><strong>${t("done_of", { done, of })}</strong> <span class="soft">${failed ? t("failed_count", { count: failed }) : ""} ${left}</span></p>
    <button type="button" class="button" @click=${async () => (await part(() => import("./cancel.js"))).cancelAll()}>${t("cancel")}</button>
    <div class="track" role="progressbar" aria-label=${t("overall_progress")} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${percent}><i></i></div>
  </div>`;
}

/** @param {HTMLElement} root @param {number} percent */
function drawBar(root, percent) {
  const bar = /** @type {HTMLElement|null} */ (root.querySelector(".track i"));
  if (bar) bar.style.inlineSize = `${percent}%`;
}

function filters() {
  const now = counts.value;
  const active = now.added + now.uploading + now.queued + now.processing;
  /** @type {[Filter, number][]} */
  const offered = [["all", order.value.length], ["active", active], ["completed", now.completed], ["failed", now.failed + now.cancelled], ["look", unsure.value]];
  const seen = offered.filter(([name, count]) => name === "all" || count || filter.value === name);
  return html`<div class="filters">
    <div class="segmented" role="group" aria-label=${t("show")}>${seen.map(([name, count]) => html`<button type="button" aria-pressed=${String(filter.value === name)}
      @click=${() => { filter.value = name; }}>${t(`filter_${name}`)} <span class="count">${speaker().number(count)}</span></button>`)}</div>
    <label class="select-all soft small"><input type="checkbox" .checked=${selected.value.size > 0 && selected.value.size === shown.value.length}
      @change=${(/** @type {any} */ event) => { selected.value = event.target.checked ? new Set(shown.peek()) : new Set(); }}>${t("select_all")}</label>
  </div>`;
}

// Loaded while nothing else happens, so that it is there when the server is not.
setTimeout(() => {
  Promise.all([import("./download.js"), import("./delete.js"), import("./retry.js"), import("./failed.js"), import("../app/sse.js")]).catch(() => undefined);
  editLater();
}, PREPARE_MS);

/** Photos that are being sent go first. */
function editLater() {
  if (overall.peek().open) setTimeout(editLater, PREPARE_MS);
  else prepareEditing();
}

// Photos and edits of a tab that was closed go on in another.
setInterval(() => {
  if (leads.peek() && all().some((doc) => doc.draft || (doc.tab !== TAB && !isOver(doc)))) import("./recover.js").then(({ adopt }) => adopt()).catch(() => undefined);
}, ADOPT_MS);
