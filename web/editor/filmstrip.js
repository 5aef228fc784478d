/**
 * The other photos of a batch, below the stage. Follows the brush.
 */
import { html } from "../vendor/lit-html/lit-html.js";
import { addMessages, t } from "../app/i18n/index.js";
import { go } from "../app/router.js";
import { docs, order } from "../app/store.js";
import { icon } from "./icons.js";
import { en } from "./i18n/notices_en.js";
import { laterIcon } from "./later_icons.js";

addMessages("en", en);

/** Photos to either side of the open one. */
const SEEN = 12;

export class Filmstrip {
  /** @type {Map<Blob, string>} */
  #urls = new Map();

  /** @param {string} id of the open document */
  constructor(id) {
    this.id = id;
  }

  view() {
    const ids = order.value;
    if (ids.length < 2) return html``;
    const at = ids.indexOf(this.id);
    const seen = ids.slice(Math.max(0, at - SEEN), at + SEEN + 1);
    return html`<nav class="ed-film" aria-label=${t("ed_batch")}>
      <button type="button" class="icon-button" aria-label=${t("ed_previous")} aria-keyshortcuts="V" ?disabled=${at <= 0} @click=${() => move(this.id, -1)}>${icon("back")}</button>
      <ul>${seen.map((id) => this.#photo(id))}</ul>
      <button type="button" class="icon-button" aria-label=${t("ed_next")} aria-keyshortcuts="N" ?disabled=${at >= ids.length - 1} @click=${() => move(this.id, 1)}>${laterIcon("right")}</button>
    </nav>`;
  }

  /** @param {string} id */
  #photo(id) {
    const doc = docs.get(id)?.value;
    if (!doc) return html``;
    const thumb = doc.thumb ?? doc.before;
    return html`<li><a href=${`#/edit/${id}`} aria-label=${doc.edit ? `${doc.name}, ${t("ed_edited")}` : doc.name} aria-current=${id === this.id ? "true" : "false"}>
      ${thumb ? html`<img alt="" src=${this.#url(thumb)}>` : html`<span class="soft">${doc.name.slice(0, 1).toUpperCase()}</span>`}
      ${doc.edit ? html`<span class="ed-edited" title=${t("ed_edited")}></span>` : html``}</a></li>`;
  }

  /** @param {Blob} thumb */
  #url(thumb) {
    const known = this.#urls.get(thumb) ?? URL.createObjectURL(thumb);
    this.#urls.set(thumb, known);
    return known;
  }

  close() {
    for (const url of this.#urls.values()) URL.revokeObjectURL(url);
    this.#urls.clear();
  }
}

/** Open the photo that many places away from another. @param {string} id @param {number} distance */
export function move(id, distance) {
  const to = order.value[order.value.indexOf(id) + distance];
  if (to) go({ name: "edit", id: to });
}
