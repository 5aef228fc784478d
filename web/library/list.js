// The list of photos: equal tiles, of which only those near the window are in the document.
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { effect } from "../vendor/signals/signals-core.js";
import { loadedLater, part } from "../app/connection.js";
import { isOver } from "../app/events.js";
import { t } from "../app/i18n/index.js";
import { docs } from "../app/store.js";
import { openEditorOf } from "./actions.js";
import { icon } from "./icons.js";
import { isUnsure, select, selected } from "./overview.js";
import { canRetry } from "./pace.js";
import { dropWish, urlOf, wantThumbs } from "./thumbs.js";

/** @typedef {import("../app/store.js").Doc} Doc */

// With fewer photos than this all of them are in the document.
const ALL = 40;
const ROWS_AROUND = 1;
const errorTitle = loadedLater(async () => (await import("./failures.js")).errorTitle);

export class PhotoList {
  /** @type {Map<string, {li: HTMLLIElement, stop: () => void}>} */
  #tiles = new Map();
  /** @type {string[]} */
  #ids = [];
  #scheduled = false;
  /** Height of a row with its gap, and columns; measured. */
  #row = 0;
  #columns = 1;
  #observer;
  #update = () => this.#schedule();

  /** @param {HTMLUListElement} list */
  constructor(list) {
    this.list = list;
    this.#observer = new ResizeObserver(() => { this.#row = 0; this.#schedule(); });
    this.#observer.observe(list);
    addEventListener("scroll", this.#update, { passive: true });
    addEventListener("resize", this.#update);
  }

  close() {
    this.#observer.disconnect();
    removeEventListener("scroll", this.#update);
    removeEventListener("resize", this.#update);
    for (const id of [...this.#tiles.keys()]) this.#take(id);
  }

  /** Show these photos in this order. @param {string[]} ids */
  show(ids) {
    this.#ids = ids;
    this.#draw();
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => { this.#scheduled = false; if (this.list.isConnected) this.#draw(); });
  }

  #draw() {
    const [first, end] = this.#range();
    const seen = this.#ids.slice(first, end);
    const stays = new Set(seen);
    for (const id of [...this.#tiles.keys()]) if (!stays.has(id)) this.#take(id);
    let at = this.list.firstElementChild;
    seen.forEach((id, index) => {
      const { li } = this.#tiles.get(id) ?? this.#put(id);
      if (li === at) at = li.nextElementSibling;
      else this.list.insertBefore(li, at);
      li.ariaPosInSet = String(first + index + 1);
      li.ariaSetSize = String(this.#ids.length);
    });
    if (this.#ids.length <= ALL || !this.#row) this.list.style.paddingBlock = "";
    else {
      const rows = Math.ceil(this.#ids.length / this.#columns);
      this.list.style.paddingBlock = `${(first / this.#columns) * this.#row}px ${Math.max(0, rows - Math.ceil(end / this.#columns)) * this.#row}px`;
    }
  }

  /** The first index that is shown and the one after the last. */
  #range() {
    const count = this.#ids.length;
    if (count <= ALL) return [0, count];
    if (!this.#row && !this.#measure()) return [0, Math.min(count, ALL / 2)];
    const top = this.list.getBoundingClientRect().top;
    const firstRow = Math.max(0, Math.floor(-top / this.#row) - ROWS_AROUND);
    const endRow = Math.ceil((innerHeight - top) / this.#row) + ROWS_AROUND;
    const rows = Math.ceil(count / this.#columns);
    const clamped = Math.min(firstRow, Math.max(0, rows - 1));
    return [clamped * this.#columns, Math.min(count, Math.max(endRow, clamped + 1) * this.#columns)];
  }

  /** Measure a tile; false where there is none yet. */
  #measure() {
    const tileOf = /** @type {HTMLElement|null} */ (this.list.firstElementChild);
    if (!tileOf) { this.#schedule(); return false; }
    const style = getComputedStyle(this.list);
    this.#row = tileOf.getBoundingClientRect().height + parseFloat(style.rowGap);
    this.#columns = style.gridTemplateColumns.split(" ").length;
    return this.#row > 0;
  }

  /** @param {string} id */
  #put(id) {
    const li = document.createElement("li");
    li.className = "tile";
    const stop = effect(() => {
      const doc = docs.get(id)?.value;
      if (!doc) return;
      render(tile(doc, li), li);
      // Not while this effect runs: it would depend on itself.
      queueMicrotask(() => wantThumbs(id));
    });
    const made = { li, stop };
    this.#tiles.set(id, made);
    return made;
  }

  /** @param {string} id */
  #take(id) {
    const held = this.#tiles.get(id);
    if (!held) return;
    held.stop();
    held.li.remove();
    this.#tiles.delete(id);
    dropWish(id);
  }
}

/** The word of a state; the sending ones are queued for a person. @param {Doc} doc */
function stateWord(doc) {
  return t(`state_${doc.state === "added" || doc.state === "uploading" ? "queued" : doc.state}`);
}

/** One photo. @param {Doc} doc @param {HTMLLIElement} li */
function tile(doc, li) {
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
    <label class="pick"><input type="checkbox" aria-label=${t("select", { name: doc.name })} .checked=${picked}
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
  const remove = button("remove", async () => (await part(() => import("./removal.js"))).removePhotos([id]));
  // A template for each: a button never becomes another one while it is pressed.
  if (doc.state === "completed") return html`${button("edit", () => openEditorOf(id))}${button("download", async () => (await part(() => import("./results.js"))).downloadOne(id))}${remove}`;
  if (!isOver(doc)) return html`${button("stop", async () => (await part(() => import("./cancel.js"))).cancel([id]))}${remove}`;
  return html`${canRetry(doc) ? button("retry", async () => (await part(() => import("./retry.js"))).retry(id)) : nothing}${remove}`;
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

/** The CSS background of a picture with these options; "" for the checkerboard. @param {import("../app/store.js").Options} options */
function groundOf({ background, background_gradient: gradient, format }) {
  if (gradient) {
    const [degrees, ...colours] = gradient.split(/\s+/);
    return `linear-gradient(${degrees}deg, ${colours.join(", ")})`;
  }
  if (background) return /^[0-9a-f]{3,8}$/i.test(background) ? `#${background}` : background;
  // JPEG has no transparency: the server puts white behind it.
  return format === "jpeg" || format === "jpg" ? "#fff" : "";
}
