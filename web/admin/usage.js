// Images per day, by key or by endpoint, as a plot and as tables.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { speaker, t } from "../app/i18n/index.js";
import { barChart } from "./chart.js";
import { date, heading, number, waiting } from "./parts.js";
import { largest } from "./series.js";
import { days, usage } from "./state.js";

/** @typedef {import("./api.js").Usage} Usage */

const SPANS = [7, 30, 90];
const SERIES = 6;
const DAY_MS = 86_400_000;
const by = signal(/** @type {"key"|"endpoint"} */ ("key"));

export function usageSection() {
  const loaded = usage.state.value;
  return html`${heading(t("usage"), html`
      ${choice(t("plot_by"), ["key", "endpoint"], by.value, (value) => { by.value = /** @type {"key"|"endpoint"} */ (value); }, (value) => t(`by_${value}`))}
      ${choice(t("plot_days"), SPANS, days.value, (value) => { days.value = Number(value); usage.load(); }, (value) => t("days", { count: value }))}`)}
    ${waiting(loaded)}
    ${loaded.data ? shownUsage(loaded.data) : nothing}`;
}

/**
 * @template {string|number} T
 * @param {string} label @param {T[]} values @param {T} chosen @param {(value: T) => void} choose @param {(value: T) => string} name
 */
function choice(label, values, chosen, choose, name) {
  return html`<div class="segmented" role="group" aria-label=${label}>${values.map((value) => html`<button type="button" aria-pressed=${value === chosen} @click=${() => choose(value)}>${name(value)}</button>`)}</div>`;
}

/** @param {Usage} found */
function shownUsage(found) {
  const all = calendar();
  const series = largest(found.days.reduce((map, day) => add(map, all, day, found), /** @type {Map<string, number[]>} */ (new Map())), SERIES, t("others"));
  const { images, failures, requests, megapixels, bytes_in: bytes } = found.totals;
  return html`<dl class="totals">
      ${[["images", number(images)], ["failures", number(failures)], ["requests", number(requests)], ["megapixels", number(megapixels)], ["received", speaker().bytes(bytes)]]
        .map(([name, value]) => html`<div><dt>${t(name)}</dt><dd>${value}</dd></div>`)}</dl>
    ${images ? html`<section class="panel plot" aria-label=${t("images_per_day")}>
      <h2>${t("images_per_day")}</h2>
      ${barChart({ series, labels: all.map((day) => date(day, { day: "numeric", month: "short" })), title: t("plot_title", { count: images, days: all.length }) })}
      <table class="legend"><caption class="hidden-text">${t(`by_${by.value}`)}</caption>
        <thead><tr><th scope="col">${t(`column_${by.value}`)}</th><th scope="col">${t("images")}</th></tr></thead>
        <tbody>${series.map((one, at) => html`<tr><th scope="row"><span class="swatch s${at}"></span>${one.name}</th><td>${number(one.values.reduce((sum, value) => sum + value, 0))}</td></tr>`)}</tbody></table>
    </section>${dayTable(found)}` : html`<p class="panel nothing soft">${t("no_usage")}</p>`}`;
}

/** Every day of the plot, today last; in UTC, as the server counts. @returns {string[]} */
function calendar() {
  return Array.from({ length: days.value }, (_, at) => new Date(Date.now() - (days.value - 1 - at) * DAY_MS).toISOString().slice(0, 10));
}

/** @param {Map<string, number[]>} map @param {string[]} all @param {Usage["days"][number]} day @param {Usage} found */
function add(map, all, day, found) {
  const at = all.indexOf(day.day);
  if (at < 0) return map;
  const put = (/** @type {string} */ name, /** @type {number} */ images) => {
    const values = map.get(name) ?? all.map(() => 0);
    values[at] += images;
    map.set(name, values);
  };
  if (by.value === "endpoint") {
    for (const [endpoint, counts] of Object.entries(day.endpoints)) put(endpoint, counts.images);
    return map;
  }
  const names = new Map(found.keys.map((key) => [key.key_id, key.name ?? t("unknown", { id: key.key_id })]));
  for (const [id, images] of Object.entries(day.keys)) put(names.get(id) ?? id, images);
  const listed = Object.values(day.keys).reduce((sum, images) => sum + images, 0);
  if (day.totals.images > listed) put(t("others"), day.totals.images - listed);
  return map;
}

/** @param {Usage} found */
function dayTable(found) {
  return html`<details class="panel"><summary>${t("day_by_day")}</summary><div class="scroll" tabindex="0" role="region" aria-label=${t("day_by_day")}><table>
    <thead><tr>${["day", "images", "failures", "requests", "megapixels"].map((name) => html`<th scope="col">${t(name)}</th>`)}</tr></thead>
    <tbody>${[...found.days].reverse().map(({ day, totals }) => html`<tr><th scope="row">${date(day)}</th>
      ${[totals.images, totals.failures, totals.requests, totals.megapixels].map((value) => html`<td>${number(value)}</td>`)}</tr>`)}</tbody></table></div></details>`;
}
