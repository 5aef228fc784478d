// Lines above the list: a pause, a lost queue, files that were left out. Loaded with the first of them.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { facts } from "../app/api.js";
import { speaker, t } from "../app/i18n/index.js";
import { counts } from "../app/store.js";
import { leftOut, looking } from "./actions.js";
import { moreTexts } from "./failures.js";
import { icon } from "./icons.js";
import { pause, queueLost } from "./pace.js";
import { pump } from "./sender.js";

await moreTexts();

const TICK_MS = 1000;
const NAMED = 4;
/** Moves while a countdown runs. */
const now = signal(Date.now());
setInterval(tick, TICK_MS);

function tick() {
  const until = pause.peek()?.until;
  if (!until) return;
  now.value = Date.now();
  // Nobody waits for it any more.
  if (now.peek() > until + TICK_MS) pause.value = undefined;
}

export function notices() {
  return [countdown(), lostQueue(), slow(), left(), searching()];
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
