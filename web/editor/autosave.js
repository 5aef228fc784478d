/** Keeps a document's edit in the browser: changed tiles, the last steps, options and view, in one write. */
import { effect } from "../vendor/signals/signals-core.js";
import { say } from "../app/announce.js";
import * as db from "../app/db.js";
import { t } from "../app/i18n/index.js";
import { patch, peek } from "../app/store.js";
import { inflating } from "./core/history.js";
import { Mask, TILE } from "./core/mask.js";

/** @typedef {import("./core/history.js").Entry} Entry */
/** @typedef {{mask: Mask, entries: Entry[], depth: number, options: {[name: string]: string}, view: import("./document.js").View | null,
 *   first?: string, whole?: boolean}} State first: options and background of before all edits; whole: whether the steps go back that far */

const DELAY_MS = 500;
/** Steps that can still be undone after a reload. */
export const KEPT_STEPS = 50;
/** The number of the record that says what the tiles belong to. */
const HEAD = -1;

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

export class Autosave {
  /** @type {Set<number>} */
  #dirty = new Set();
  /** Numbers of the steps in the database. @type {Set<number>} */
  #kept;
  #whole;
  /** @type {string | undefined} */
  #first;
  #timer = 0;
  #touched = false;
  #closed = false;
  #follows = false;
  /** @type {Promise<unknown>} */
  #writing = Promise.resolve();

  /** @param {import("./document.js").EditorDocument} document @param {State | null} state */
  constructor(document, state) {
    this.document = document;
    this.#kept = new Set(state?.entries.map(({ seq }) => seq));
    /** Whether the database has every tile. */
    this.#whole = Boolean(state);
    this.#first = state?.first;
    const { mask, history } = document;
    const hidden = () => {
      if (globalThis.document.visibilityState === "hidden") this.flush();
    };
    globalThis.document.addEventListener("visibilitychange", hidden);
    const stops = [
      mask.onChange((rect) => mask.tilesIn(rect).forEach((n) => this.#dirty.add(n))),
      history.onChange(() => this.#later()),
      effect(() => {
        document.options.value;
        if (this.#follows) this.#later();
      }),
      effect(() => {
        document.view.value;
        // Looking around alone is no edit.
        if (this.#follows && (this.#whole || history.depth)) this.#later();
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
    this.#first ??= this.#look();
  }

  /** Options and background, as a text that is the same for the same. */
  #look() {
    const { id, options } = this.document;
    return JSON.stringify([Object.entries(options.peek()).sort(), peek(id)?.ground?.size]);
  }

  #later() {
    if (this.document.readOnly.peek()) return;
    this.#touched = true;
    if (this.document.saved.peek() === "saved") this.document.saved.value = "saving";
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), DELAY_MS);
  }

  /** Save now what has changed. Returns whether it is saved. */
  flush() {
    clearTimeout(this.#timer);
    if (this.document.readOnly.peek()) return Promise.resolve(false);
    const saving = this.#writing.then(() => this.#save());
    this.#writing = saving.catch(() => false);
    return saving;
  }

  close() {
    if (this.#closed) return Promise.resolve(false);
    this.#closed = true;
    this.stop();
    return this.flush();
  }

  async #save() {
    if (!this.#touched) return true;
    const { document } = this;
    if (!(await document.lease.isHeld())) {
      document.readOnly.value = true;
      return false;
    }
    await document.history.settled();
    const { tiles, changes, kept } = this.#snapshot();
    const { mask, history } = document;
    // What was undone to the beginning is no edit any more.
    const undone = !history.depth && history.whole && this.#look() === this.#first;
    const edit = undone ? undefined : { revision: mask.revision, options: document.options.peek() };
    for (const tile of tiles) tile.data = await document.later.run("deflate", tile.data);
    const whole = tiles.map((put) => /** @type {import("../app/db.js").Change} */ ({ store: "tiles", put }));
    const all = [...whole, ...changes];
    // The mark of the list is there after a reload where the edit is.
    const doc = peek(document.id);
    const change = { edit, draft: true };
    if (doc) all.push({ store: "docs", put: { ...doc, ...change } });
    const { isFull, makeRoom } = await import("./room.js");
    if (await isFull()) await makeRoom(document.id);
    let written = await db.write(all);
    while (!written && (await makeRoom(document.id))) written = await db.write(all);
    const done = written && (await db.isPersistent());
    if (!done) {
      // What could not be written is tried again with the next change.
      for (const { n } of tiles) this.#dirty.add(n);
      if (document.saved.peek() !== "off") say(t("tool_no_room"));
      document.saved.value = "off";
      if (!written) db.trouble.value = "full";
      return false;
    }
    this.#kept = kept;
    this.#whole = true;
    patch(document.id, change);
    document.saved.value = this.#touched ? "saving" : "saved";
    return true;
  }

  /** Copy all that is to be written, as it is at this moment. */
  #snapshot() {
    const { id, mask, history, options, view } = this.document;
    const docId = id;
    const numbers = this.#whole ? [...this.#dirty] : mask.tiles.map((_, n) => n);
    // Of an unfinished stroke nothing is saved.
    const tiles = numbers.map((n) => ({ docId, n, data: (history.open?.bases.get(n) ?? mask.tile(n)).slice() }));
    this.#dirty = new Set(history.open?.bases.keys());
    this.#touched = false;
    const from = Math.max(0, history.depth - KEPT_STEPS);
    const entries = history.entries.slice(from, history.depth + KEPT_STEPS);
    const kept = new Set(entries.map(({ seq }) => seq));
    /** @type {import("../app/db.js").Change[]} */
    const changes = entries.filter(({ seq }) => !this.#kept.has(seq)).map((entry) => ({ store: "history", put: { docId, seq: entry.seq, entry } }));
    for (const seq of this.#kept) if (!kept.has(seq)) changes.push({ store: "history", delete: [docId, seq] });
    const head = { docId, n: HEAD, width: mask.width, height: mask.height, depth: history.depth - from, options: options.peek(), view: view.peek(), first: this.#first, whole: history.whole && !from };
    changes.push({ store: "tiles", put: head });
    return { tiles, changes, kept };
  }
}
