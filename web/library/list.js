// The list of photos: equal tiles, of which only those near the window are in the document.
import { effect } from "../vendor/signals/signals-core.js";
import { render } from "../vendor/lit-html/lit-html.js";
import { docs } from "../app/store.js";
import { dropWish, wantThumbs } from "./thumbs.js";
import { tile } from "./tile.js";

// With fewer photos than this all of them are in the document.
const ALL = 40;
const ROWS_AROUND = 1;

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
