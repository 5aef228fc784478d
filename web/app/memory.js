// Records in memory, for a browser that keeps none (private window, blocked storage).
import { KEYS } from "./db.js";

/**
 * @typedef {import("./db.js").StoreName} StoreName
 * @typedef {import("./db.js").Change} Change
 */

export class Memory {
  persistent = false;
  /** @type {Map<StoreName, Map<string, any>>} */
  #stores = new Map(/** @type {StoreName[]} */ (Object.keys(KEYS)).map((name) => [name, new Map()]));

  /** @param {StoreName} store @param {any} key */
  async get(store, key) { return this.#of(store).get(JSON.stringify(key)); }

  /** @param {StoreName} store @param {string} [docId] */
  async list(store, docId) {
    const records = [...this.#of(store).values()];
    return docId === undefined ? records : records.filter((record) => record.docId === docId);
  }

  /** @param {Change[]} changes */
  async write(changes) {
    for (const { store, put, delete: gone } of changes) {
      if (put !== undefined) this.#of(store).set(JSON.stringify(keyOf(store, put)), put);
      else this.#of(store).delete(JSON.stringify(gone));
    }
  }

  /** @param {StoreName} store @param {string} [docId] */
  async clear(store, docId) {
    if (docId === undefined) return this.#of(store).clear();
    for (const [key, record] of this.#of(store)) if (record.docId === docId) this.#of(store).delete(key);
  }

  /** @param {StoreName} store @returns {Map<string, any>} */
  #of(store) { return /** @type {Map<string, any>} */ (this.#stores.get(store)); }
}

/** @param {StoreName} store @param {any} record */
function keyOf(store, record) {
  const path = KEYS[store];
  return Array.isArray(path) ? path.map((name) => record[name]) : record[path];
}
