// Small parts that all sections use.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { language, speaker, t } from "../app/i18n/index.js";

/** A section's heading with its buttons. @param {string} title @param {unknown} [actions] */
export function heading(title, actions = nothing) {
  return html`<header class="section-head"><h1>${title}</h1><div class="buttons">${actions}</div></header>`;
}

/** Why there is nothing to show, or that it is on its way. @param {{data?: unknown, error?: import("./api.js").ApiError, busy: boolean}} loaded */
export function waiting({ data, error }) {
  if (error) return html`<p class="notice warn" role="alert"><span><strong>${error.status ? error.text : t("unreachable")}</strong> ${error.solution || error.details}</span></p>`;
  return data === undefined ? html`<p class="soft nothing">${t("loading")}</p>` : nothing;
}

/** A measure as a bar. @param {number} share 0 to 1 @param {string} label @param {string} [tone] */
export function meter(share, label, tone = "") {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return html`<svg class="meter ${tone}" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=${label}><rect class="rest" width="100" height="6"/><rect class="done" width=${filled} height="6"/></svg>`;
}

/** @param {number} value */
export function number(value) {
  return speaker().number(value, { maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** A moment as a person says it: "3 minutes ago". @param {string} iso */
export function ago(iso) {
  const seconds = (Date.parse(iso) - Date.now()) / 1000;
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  for (const [unit, length] of /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([["day", 86400], ["hour", 3600], ["minute", 60]])) {
    if (Math.abs(seconds) >= length) return format.format(Math.round(seconds / length), unit);
  }
  return format.format(Math.round(seconds), "second");
}

/** @param {string} iso @param {Intl.DateTimeFormatOptions} [options] */
export function date(iso, options = { dateStyle: "medium" }) {
  return new Intl.DateTimeFormat(locale(), { timeZone: "UTC", ...options }).format(new Date(iso));
}

/** @param {number} seconds */
export function span(seconds) {
  return seconds < 86400 ? speaker().duration(seconds) : speaker().number(Math.floor(seconds / 86400), { style: "unit", unit: "day", unitDisplay: "long" });
}

function locale() {
  return language.value === "xx" ? "en" : language.value;
}
