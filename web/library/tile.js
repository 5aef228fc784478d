// One photo of the list.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { live } from "../app/live.js";
import { isOver } from "../app/events.js";
import { t } from "../app/i18n/index.js";
import { openEditorOf } from "./actions.js";
import { canRetry, errorTitle } from "./failures.js";
import { groundOf } from "./ground.js";
import { icon } from "./icons.js";
import { isUnsure, select, selected } from "./selection.js";
import { urlOf } from "./thumbs.js";

/** @typedef {import("../app/store.js").Doc} Doc */

/** The word of a state; the sending ones are queued for a person. @param {Doc} doc */
export function stateWord(doc) {
  return t(`state_${doc.state === "added" || doc.state === "uploading" ? "queued" : doc.state}`);
}

/** @param {Doc} doc @param {HTMLLIElement} li */
export function tile(doc, li) {
  const picked = selected.value.has(doc.id);
  li.ariaLabel = t("item", { name: doc.path + doc.name, state: stateWord(doc) }) + (doc.edit ? `, ${t("edited")}` : "");
  li.dataset.state = doc.state;
  li.dataset.selected = String(picked);
  // The previous result stays while it is made again.
  const result = (doc.state === "completed" || doc.state === "processing") && doc.thumb;
  const url = result ? urlOf(`${doc.id}/thumb`, doc.thumb, doc.thumbKey) : urlOf(`${doc.id}/before`, doc.before);
  queueMicrotask(() => paint(li, doc, Boolean(result)));
  return html`
    <div class="picture" @click=${() => doc.state === "completed" && openEditorOf(doc.id)}>
      ${url ? html`<img src=${url} alt="" draggable="false" class=${result ? "result" : "before"}>` : html`<span class="blank">${icon(doc.state === "failed" ? "alert" : "image")}</span>`}
      ${doc.state === "processing" || doc.state === "uploading" ? html`<span class="bar"><i></i></span>` : nothing}
      ${doc.edit ? html`<span class="edited" title=${t("edited")}>${icon("edit")}<span>${t("edited")}</span></span>` : nothing}
    </div>
    <label class="pick"><input type="checkbox" aria-label=${t("select", { name: doc.name })} .checked=${live(picked)}
      @change=${(/** @type {any} */ event) => select(doc.id, event.target.checked)}></label>
    <div class="caption">
      <span class="name" title=${doc.path + doc.name}>${doc.name}</span>
      ${badge(doc)}
      <div class="actions">${actions(doc)}</div>
    </div>`;
}

/** @param {Doc} doc */
function badge(doc) {
  const note = doc.state === "failed" && doc.error ? errorTitle(doc.error) : doc.state === "processing" && doc.progress > 0 && doc.stage !== "compose" ? t("percent", { value: doc.progress }) : "";
  if (isUnsure(doc)) return html`<span class="badge look" title=${t("unsure_hint")}>${t("look")}</span>`;
  return html`<span class="badge ${doc.state}" title=${note || nothing}>${stateWord(doc)}${doc.state === "processing" && note ? html` <small>${note}</small>` : nothing}</span>`;
}

/** @param {Doc} doc */
function actions(doc) {
  const { id } = doc;
  const remove = button("remove", async () => (await import("./removal.js")).removePhotos([id]));
  // A template for each: a button never becomes another one while it is pressed.
  if (doc.state === "completed") return html`${button("edit", () => openEditorOf(id))}${button("download", async () => (await import("./results.js")).downloadOne(id))}${remove}`;
  if (!isOver(doc)) return html`${button("stop", async () => (await import("./cancel.js")).cancel([id]))}${remove}`;
  return html`${canRetry(doc) ? button("retry", async () => (await import("./retry.js")).retry(id)) : nothing}${remove}`;
}

/** A button whose icon has the name of its text. @param {"edit" | "download" | "retry" | "remove" | "stop"} name @param {() => unknown} action */
function button(name, action) {
  return html`<button type="button" class="icon-button" aria-label=${t(name)} title=${t(name)} @click=${action}>${icon(name)}</button>`;
}

/** What templates can't say under the page's policy: styles of one element. @param {HTMLLIElement} li @param {Doc} doc @param {boolean} result */
function paint(li, doc, result) {
  const picture = /** @type {HTMLElement|null} */ (li.querySelector(".picture"));
  if (!picture) return;
  // A job's picture has its ground already.
  picture.style.background = result && !doc.job ? groundOf(doc.options) : "";
  const bar = /** @type {HTMLElement|null} */ (li.querySelector(".bar i"));
  if (bar) bar.style.inlineSize = `${doc.progress}%`;
}
