// The line above every view: name, language, colours, the API.
import { html } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { facts } from "./api.js";
import { LANGUAGES, language, setLanguage, t } from "./i18n/index.js";

const SCHEMES = ["auto", "light", "dark"];
const KEPT = "scheme";
const scheme = signal("auto");

export function startScheme() {
  try { scheme.value = localStorage.getItem(KEPT) ?? "auto"; } catch { /* not kept */ }
  apply();
}

function apply() {
  document.documentElement.dataset.scheme = scheme.peek();
}

function nextScheme() {
  scheme.value = SCHEMES[(SCHEMES.indexOf(scheme.peek()) + 1) % SCHEMES.length];
  try { localStorage.setItem(KEPT, scheme.peek()); } catch { /* not kept */ }
  apply();
}

/** @param {string} [home] where the name leads to */
export function header(home = "#/") {
  return html`<header class="top">
    <a class="brand" href=${home}>${mark()}<span>${t("title")}</span></a>
    <span class="language"><svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="10" cy="10" r="7"/><path d="M3 10h14 M10 3q6 7 0 14 M10 3q-6 7 0 14"/></svg>
      <select aria-label=${t("language")} .value=${language.value} @change=${(/** @type {any} */ event) => setLanguage(event.target.value)}>
        ${LANGUAGES.map((name) => html`<option value=${name} ?selected=${name === language.value}>${t(`language_${name}`)}</option>`)}
      </select></span>
    <button type="button" class="icon-button" aria-label=${t(`scheme_${scheme.value}`)} title=${t(`scheme_${scheme.value}`)} @click=${nextScheme}>
      <svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="10" cy="10" r="7"/><path d="M10 3a7 7 0 0 1 0 14z" fill="currentColor"/></svg>
    </button>
    ${home === "#/" && facts.value?.accounts ? html`<a class="button quiet account-link" href="/account"><svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="10" cy="7" r="3.2"/><path d="M3.5 17a6.5 6.5 0 0 1 13 0"/></svg><span>${t(facts.value.accounts.user ? "account" : "sign_in")}</span></a>` : ""}
    <a class="button quiet" href="/docs">${t("api")}</a>
  </header>`;
}

function mark() {
  return html`<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="9" fill="var(--accent)"/>
    <path d="M16 7a9 9 0 0 0 0 18z" fill="var(--on-accent)"/>
    <path d="M16 7a9 9 0 0 1 0 18" fill="none" stroke="var(--on-accent)" stroke-width="2" stroke-dasharray="3 2.6"/></svg>`;
}
