/** Notes what changes in a document, and has it saved in the browser; `save.js` writes it. */
import { effect } from "../vendor/signals/signals-core.js";
import { part } from "../app/connection.js";
import * as db from "../app/db.js";
import { peek } from "../app/store.js";
import { inflating } from "./core/history.js";
import { Mask, TILE } from "./core/mask.js";

/** @typedef {import("./core/history.js").Entry} Entry */
/** @typedef {{mask: Mask, entries: Entry[], depth: number, options: {[name: string]: string}, view: import("./document.js").View | null,
 *   first?: string, whole?: boolean}} State first: options and background of before all edits; whole: whether the steps go back that far */

const DELAY_MS = 500;
/** The number of the record that says what the tiles belong to. */
export const HEAD = -1;

/** Return what an earlier visit saved of a document; null where it saved no edit. @param {string} id @returns {Promise<State | null>} */
export async function savedState(id) {
  const [tiles, history] = await Promise.all([db.list("tiles", id), db.list("history", id)]);
  const head = tiles.find(({ n }) => n === HEAD);
  if (!head) return null;
  const mask = new Mask(head.width, head.height, 0);
  // Without one of its tiles the mask is not what the person made.
  if (tiles.length !== mask.tiles.length + 1) return null;
  const inflate = await inflating();
  for (const { n, data } of tiles) if (n !== HEAD) mask.tiles[n] = inflate(data, TILE * TILE);
  const entries = history.map(({ entry }) => entry).sort((a, b) => a.seq - b.seq);
  return { ...head, mask, entries, depth: Math.min(head.depth, entries.length) };
}

/** What writes edits: it comes first of what follows the brush. */
export function saver() {
  return part(() => import("./save.js"));
}

export class Autosave {
  /** Numbers of the tiles that differ from those in the database. @type {Set<number>} */
  dirty = new Set();
  /** Numbers of the steps in the database. @type {Set<number>} */
  kept;
  /** Whether the database has every tile. */
  whole;
  /** Options and background before all edits. @type {string | undefined} */
  first;
  /** Whether there is something to save. */
  touched = false;
  #timer = 0;
  #closed = false;
  #follows = false;
  /** @type {Promise<unknown>} */
  #writing = Promise.resolve();

  /** @param {import("./document.js").EditorDocument} document @param {State | null} state */
  constructor(document, state) {
    this.document = document;
    this.kept = new Set(state?.entries.map(({ seq }) => seq));
    this.whole = Boolean(state);
    this.first = state?.first;
    const { mask, history } = document;
    const hidden = () => {
      if (globalThis.document.visibilityState === "hidden") this.flush();
    };
    globalThis.document.addEventListener("visibilitychange", hidden);
    const stops = [
      mask.onChange((rect) => mask.tilesIn(rect).forEach((n) => this.dirty.add(n))),
      history.onChange(() => this.#later()),
      effect(() => {
        document.options.value;
        if (this.#follows) this.#later();
      }),
      effect(() => {
        document.view.value;
        // Looking around alone is no edit.
        if (this.#follows && (this.whole || history.depth)) this.#later();
      }),
      () => globalThis.document.removeEventListener("visibilitychange", hidden),
    ];
    this.#follows = true;
    this.stop = () => stops.forEach((stop) => stop());
  }

  /** Replace the options by equivalent ones, which is not an edit. @param {{[name: string]: string}} options */
  reword(options) {
    this.#follows = false;
    this.document.options.value = options;
    this.#follows = true;
    this.first ??= this.look();
  }

  /** Options and background, as a text that is the same for the same. */
  look() {
    const { id, options } = this.document;
    return JSON.stringify([Object.entries(options.peek()).sort(), peek(id)?.ground?.size]);
  }

  #later() {
    if (this.document.readOnly.peek()) return;
    this.touched = true;
    if (this.document.saved.peek() === "saved") this.document.saved.value = "saving";
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), DELAY_MS);
  }

  /** Save now what has changed. Returns whether it is saved. */
  flush() {
    clearTimeout(this.#timer);
    if (this.document.readOnly.peek()) return Promise.resolve(false);
    const saving = this.#writing.then(async () => !this.touched || (await saver()).save(this));
    this.#writing = saving.catch(() => false);
    return saving;
  }

  close() {
    if (this.#closed) return Promise.resolve(false);
    this.#closed = true;
    this.stop();
    return this.flush();
  }
}
