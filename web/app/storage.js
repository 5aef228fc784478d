// Says that the browser keeps nothing, or has no space left, and what to do about it.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { trouble } from "./db.js";
import { t } from "./i18n/index.js";
import { moreTexts } from "../library/failures.js";
import { icon } from "../library/icons.js";

await moreTexts();

/** The trouble that the person has read. */
const read = signal("");

export function storageBanner() {
  const now = trouble.value;
  if (!now || read.value === now) return nothing;
  return html`<aside class="notice warn banner" aria-label=${t("storage")}>${icon("alert")}<span><strong>${t(`storage_${now}`)}</strong> ${t(`storage_${now}_text`)}</span>
    <button type="button" class="button" @click=${() => { read.value = now; }}>${t("got_it")}</button></aside>`;
}
