// Lines above the list: no connection, a pause, a lost queue, files that were left out.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { reachable, request } from "../app/api.js";
import { facts } from "../app/facts.js";
import { speaker, t } from "../app/i18n/index.js";
import { all, counts, dispatch, patch } from "../app/store.js";
import { TAB } from "../app/tabs.js";
import { leftOut, looking } from "./actions.js";
import { icon } from "./icons.js";
import { pause, queueLost, sleep } from "./pace.js";
import { pump } from "./sender.js";
import { reconnecting } from "./watcher.js";

const TICK_MS = 1000;
const NAMED = 4;
/** Moves while a countdown runs. */
const now = signal(Date.now());
setInterval(() => { if (pause.peek()) now.value = Date.now(); }, TICK_MS);

let asking = false;

/** Ask until the server answers again. */
async function ask() {
  if (asking) return;
  asking = true;
  for (let seconds = 1; !reachable.peek(); seconds = Math.min(15, seconds * 2)) {
    await sleep(seconds * 1000);
    await request("/health/live").catch(() => undefined);
  }
  asking = false;
  pump();
}

reachable.subscribe((is) => { if (!is) ask(); });
addEventListener("offline", () => { reachable.value = false; });
addEventListener("online", () => { request("/health/live").then(pump, () => undefined); });

export function notices() {
  return [connection(), countdown(), lostQueue(), slow(), left(), searching()];
}

function connection() {
  if (reachable.value && !reconnecting.value) return nothing;
  return html`<p class="notice warn">${icon("alert")}<span><strong>${t("reconnecting")}</strong> ${t("reconnecting_text")}</span></p>`;
}

function countdown() {
  const until = pause.value;
  if (!until) return nothing;
  const seconds = Math.max(1, Math.ceil((until.until - now.value) / 1000));
  const why = until.code === "rate_limited" ? t("paused_quota") : t("paused_busy");
  return html`<p class="notice">${icon("alert")}<span><strong>${t("paused", { time: speaker().duration(seconds) })}</strong> ${why}</span></p>`;
}

function lostQueue() {
  if (!queueLost.value) return nothing;
  return html`<div class="notice warn">${icon("alert")}<span><strong>${t("queue_lost")}</strong> ${t("queue_lost_text")}</span>
    <button type="button" class="button" @click=${queueAgain}>${t("queue_again")}</button></div>`;
}

function queueAgain() {
  queueLost.value = false;
  pump();
}

/** Without jobs, an hour's quota may be short. */
function slow() {
  const quota = facts.value?.quotas?.["/matte"];
  const waiting = counts.value.added + counts.value.processing;
  if (!quota || facts.value?.jobs || waiting <= quota) return nothing;
  return html`<p class="notice">${icon("alert")}<span>${t("slow_quota", { quota, count: waiting, hours: Math.ceil(waiting / quota) })}</span></p>`;
}

function left() {
  const found = leftOut.value;
  if (!found) return nothing;
  const names = found.others.slice(0, NAMED).join(", ");
  return html`<div class="notice"><span>
      ${found.others.length ? t("left_out", { count: found.others.length, names }) : nothing}
      ${found.twice ? t("left_twice", { count: found.twice }) : nothing}</span>
    <button type="button" class="button quiet" @click=${() => { leftOut.value = undefined; }}>${t("got_it")}</button></div>`;
}

function searching() {
  return looking.value ? html`<p class="notice">${t("looking", { count: looking.value })}</p>` : nothing;
}

/** Photos of a lost queue go to the model one by one. */
queueLost.subscribe((is) => {
  if (!is) return;
  for (const doc of all()) {
    if (doc.tab !== TAB || doc.job) continue;
    if (doc.state === "uploading") dispatch(doc.id, { type: "rollback" });
    if (doc.state === "added" || doc.state === "uploading") patch(doc.id, { direct: true });
  }
  queueMicrotask(pump);
});
