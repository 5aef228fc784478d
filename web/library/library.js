// The library: where photos come in, and the list of all of them.
import { html, render } from "../vendor/lit-html/lit-html.js";
import { effect } from "../vendor/signals/signals-core.js";
import { t } from "../app/i18n/index.js";

/** @param {HTMLElement} root */
export function openLibrary(root) {
  const stop = effect(() => { render(view(), root); });
  return { close() { stop(); render(html``, root); } };
}

function view() {
  return html`<h1>${t("headline")}</h1><p class="soft">${t("lead")}</p>`;
}
