// Small parts that all sections use.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { say } from "../app/announce.js";
import { language, speaker, t } from "../app/i18n/index.js";
import { errorFacts, errorSolution, errorTitle } from "../library/failures.js";

/** A section's heading with its buttons. @param {string} title @param {unknown} [actions] */
export function heading(title, actions = nothing) {
  return html`<header class="section-head"><h1>${title}</h1><div class="buttons">${actions}</div></header>`;
}

/** What the server says, in English, folded away. @param {string|null} said */
export function details(said) {
  return said ? html`<details class="soft small"><summary>${t("details")}</summary><p lang="en">${said}</p></details>` : nothing;
}

/** What went wrong and what to do. @param {import("./api.js").ApiError} error */
export function problem(error) {
  return html`<strong>${errorTitle(error)}.</strong> ${errorSolution(error)}${details(errorFacts(/** @type {any} */ (error)))}`;
}

/** Open a dialog; their code is loaded with the first one. @param {(dialogs: typeof import("./key_dialogs.js")) => unknown} open */
export function dialog(open) {
  return import("./key_dialogs.js").then(open, () => say(errorTitle({ code: "unreachable" })));
}

/** The name of a key for its dialogs: users may give their keys the same. @param {import("./api.js").Key} key */
export function keyTitle({ name, user_email: user }) {
  return user ? `${name} (${user})` : name;
}

/** Why there is nothing to show, or that it is on its way. @param {{data?: unknown, error?: import("./api.js").ApiError, busy: boolean}} loaded */
export function waiting({ data, error }) {
  if (error) return html`<div class="notice warn" role="alert"><span>${problem(error)}</span></div>`;
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
