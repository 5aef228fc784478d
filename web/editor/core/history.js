/** Undo and redo: what each commit changed, as XOR of its tiles, deflated. */

import { TILE, union } from "./mask.js";

/** @typedef {import("./mask.js").Rect} Rect */
/** @typedef {{n: number, data: Uint8Array, packed: boolean}} Delta a tile's number and its XOR */
/** @typedef {"commit" | "undo" | "redo" | "other"} What other: entries were put back or dropped */
/** @typedef {{seq: number, tool: string, rect: Rect, change: number, deltas: Delta[]}} Entry change: part of the picture
 *   that was erased (< 0) or restored (> 0) */

const SIZE = TILE * TILE;
export const DESKTOP_BUDGET = 64e6;
export const PHONE_BUDGET = 24e6;

/** Undo needs it within the key press: it is there before there is something to inflate. @type {typeof import("./inflate.js").inflate} */
let inflate;

/** Load what inflates entries and tiles. */
export async function inflating() {
  return (inflate ??= (await import("./inflate.js")).inflate);
}

export class History {
  /** @param {import("./mask.js").Mask} mask
   * @param {{budget?: number, deflate: (bytes: Uint8Array) => Promise<Uint8Array>}} options budget in bytes */
  constructor(mask, { budget = DESKTOP_BUDGET, deflate }) {
    this.mask = mask;
    this.budget = budget;
    this.deflate = deflate;
    /** @type {Entry[]} */
    this.entries = [];
    /** Number of entries that are done; those after it can be redone. */
    this.depth = 0;
    this.seq = 0;
    /** Whether undoing all of it gives the mask as at first: no entry was dropped. */
    this.whole = true;
    /** @type {Transaction | null} */
    this.open = null;
    this.packing = Promise.resolve();
    /** Entries that wait to be deflated: what they need for the moment says nothing about the budget. @type {Set<Entry>} */
    this.waiting = new Set();
    /** @type {Set<(entry: Entry | null, what: What) => void>} */
    this.listeners = new Set();
  }

  /** Begin a change that `commit` makes one entry of; an unfinished one becomes an entry as it is. @param {string} tool */
  begin(tool) {
    this.open?.commit();
    this.open = new Transaction(this, tool);
    return this.open;
  }

  get canUndo() {
    return this.open ? this.open.waits : this.depth > 0;
  }

  get canRedo() {
    return this.depth < this.entries.length && !this.open;
  }

  /** Bytes of all entries. */
  get size() {
    return this.entries.reduce((total, entry) => total + bytes(entry), 0);
  }

  /** Return the entry that was undone; null when there is none. */
  undo() {
    if (this.open?.waits) this.open.commit();
    return this.canUndo ? this.#apply(this.entries[--this.depth], "undo") : null;
  }

  /** Return the entry that was done again; null when there is none. */
  redo() {
    return this.canRedo ? this.#apply(this.entries[this.depth++], "redo") : null;
  }

  /** Whether nothing was done since. @param {Entry} entry */
  isLast(entry) {
    return !this.open && this.entries[this.depth - 1] === entry;
  }

  /** Replace the last entry with another change; without a change the entry stays.
   * @param {Entry} entry @param {(transaction: Transaction) => void} change */
  replace(entry, change) {
    if (!this.isLast(entry)) return;
    this.depth--;
    this.#flip(entry);
    const transaction = this.begin(entry.tool);
    change(transaction);
    if (transaction.commit()) return;
    this.depth++;
    this.#flip(entry);
  }

  /** @param {Entry} entry */
  add(entry) {
    this.entries.length = this.depth;
    this.entries.push(entry);
    this.depth++;
    this.waiting.add(entry);
    this.packing = this.packing.then(() => this.#pack(entry));
    this.#report(entry, "commit");
  }

  /** Wait until all entries are deflated and the budget is kept. */
  settled() {
    return this.packing;
  }

  /** Put saved entries back. @param {Entry[]} entries @param {number} depth */
  restore(entries, depth) {
    this.entries = entries;
    this.depth = depth;
    this.seq = entries.reduce((highest, { seq }) => Math.max(highest, seq), this.seq);
    this.#report(null, "other");
  }

  /** @param {(entry: Entry | null, what: What) => void} listener */
  onChange(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** @param {Entry} entry @param {What} what */
  #apply(entry, what) {
    this.#flip(entry);
    this.#report(entry, what);
    return entry;
  }

  /** Bytes of the entries that are deflated. */
  #kept() {
    return this.entries.reduce((total, entry) => total + (this.waiting.has(entry) ? 0 : bytes(entry)), 0);
  }

  /** Go from before an entry to after it, or back. @param {Entry} entry */
  #flip({ deltas, rect }) {
    for (const { n, data, packed } of deltas) xor(this.mask.tile(n), packed ? summed(inflate(data, SIZE)) : data);
    this.mask.changed(rect);
  }

  /** @param {Entry} entry */
  async #pack(entry) {
    for (const delta of entry.deltas) {
      const data = await inflating().then(() => this.deflate(differences(delta.data))).catch(() => null);
      if (data) Object.assign(delta, { data, packed: true });
    }
    this.waiting.delete(entry);
    while (this.#kept() > this.budget && this.entries.length > 1 && this.depth > 1) {
      this.entries.shift();
      this.whole = false;
      this.depth--;
      this.#report(null, "other");
    }
  }

  /** @param {Entry | null} entry @param {What} what */
  #report(entry, what) {
    for (const listener of this.listeners) listener(entry, what);
  }
}

/** A change in progress: the tiles as they were. */
export class Transaction {
  /** @param {History} history @param {string} tool */
  constructor(history, tool) {
    this.history = history;
    this.tool = tool;
    /** @type {Map<number, Uint8Array>} */
    this.bases = new Map();
    /** Whether all of it is painted, and it only waits for a better edge. */
    this.waits = false;
  }

  get isOpen() {
    return this.history.open === this;
  }

  /** Return a copy of a tile as it was before this change. @param {number} n */
  touch(n) {
    let base = this.bases.get(n);
    if (!base) this.bases.set(n, (base = this.history.mask.tile(n).slice()));
    return base;
  }

  /** Return the entry of this change; null where no pixel differs. */
  commit() {
    const { mask } = this.history;
    if (!this.isOpen) return null;
    this.history.open = null;
    /** @type {Rect | null} */
    let rect = null;
    let change = 0;
    const deltas = [];
    for (const [n, base] of this.bases) {
      const difference = compare(base, mask.tile(n));
      if (!difference.differs) continue;
      change += difference.sum;
      xor(base, mask.tile(n));
      deltas.push({ n, data: base, packed: false });
      rect = union(rect, mask.tileRect(n));
    }
    if (!rect) return null;
    change /= 255 * mask.width * mask.height;
    const entry = { seq: ++this.history.seq, tool: this.tool, rect, change, deltas };
    this.history.add(entry);
    return entry;
  }

  /** Put all tiles back. */
  cancel() {
    const { mask } = this.history;
    if (!this.isOpen) return;
    this.history.open = null;
    for (const [n, base] of this.bases) {
      mask.tile(n).set(base);
      mask.changed(mask.tileRect(n));
    }
  }
}

/** @param {Entry} entry */
function bytes(entry) {
  return entry.deltas.reduce((total, { data }) => total + data.length + 64, 0);
}

/** Return each byte less the one before: a soft edge deflates to a fifth that way. @param {Uint8Array} data */
function differences(data) {
  const out = data.slice();
  for (let i = SIZE - 1; i > 0; i--) out[i] -= data[i - 1];
  return out;
}

/** Undo `differences` in place. @param {Uint8Array} data */
function summed(data) {
  for (let i = 1; i < SIZE; i++) data[i] += data[i - 1];
  return data;
}

/** @param {Uint8Array} tile @param {Uint8Array} other */
function xor(tile, other) {
  for (let i = 0; i < SIZE; i++) tile[i] ^= other[i];
}

/** @param {Uint8Array} before @param {Uint8Array} after */
function compare(before, after) {
  let sum = 0;
  let differs = 0;
  for (let i = 0; i < SIZE; i++) {
    sum += after[i] - before[i];
    differs |= after[i] ^ before[i];
  }
  return { sum, differs };
}
