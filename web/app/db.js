// What the browser keeps: documents, photos, masks, history, submissions, settings.
import { signal } from "../vendor/signals/signals-core.js";
import { part } from "./connection.js";

/**
 * @typedef {"docs"|"photos"|"tiles"|"history"|"outbox"|"settings"} StoreName
 * @typedef {{put?: any, delete?: any, store: StoreName}} Change
 */

const NAME = "studio";
const VERSION = 1;
/** The key of a record in each store. @type {Record<StoreName, string|string[]>} */
export const KEYS = { docs: "id", photos: "docId", tiles: ["docId", "n"], history: ["docId", "seq"], outbox: "key", settings: "key" };

/** Records in IndexedDB. */
class Indexed {
  persistent = true;

  /** @param {IDBDatabase} database */
  constructor(database) { this.database = database; }

  /** @param {StoreName} store @param {any} key */
  async get(store, key) { return answer(this.#store(store).get(key)); }

  /** @param {StoreName} store @param {string} [docId] */
  async list(store, docId) { return answer(this.#store(store).getAll(docId === undefined ? undefined : rangeOf(store, docId))); }

  /** All or nothing. @param {Change[]} changes */
  async write(changes) {
    if (!changes.length) return;
    const transaction = this.database.transaction([...new Set(changes.map((change) => change.store))], "readwrite");
    for (const { store, put, delete: gone } of changes) {
      const records = transaction.objectStore(store);
      if (put !== undefined) records.put(put);
      else records.delete(gone);
    }
    // At once: a page that is closed commits nothing by itself.
    transaction.commit();
    await committed(transaction);
  }

  /** @param {StoreName} store @param {string} [docId] */
  async clear(store, docId) {
    const records = this.#store(store, "readwrite");
    if (docId === undefined) records.clear();
    else records.delete(rangeOf(store, docId));
    await committed(records.transaction);
  }

  /** @param {StoreName} store @param {IDBTransactionMode} [mode] */
  #store(store, mode) { return this.database.transaction(store, mode).objectStore(store); }
}

/** What a request answers. @param {IDBRequest} request @returns {Promise<any>} */
function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Resolves when all of a transaction is written. @param {IDBTransaction} transaction @returns {Promise<void>} */
function committed(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    // No space, or the connection was closed.
    transaction.onabort = () => reject(transaction.error);
  });
}

/** @param {StoreName} store @param {string} docId */
function rangeOf(store, docId) {
  return Array.isArray(KEYS[store]) ? IDBKeyRange.bound([docId], [docId, []]) : docId;
}

/** @typedef {import("./memory.js").Memory} Memory */
/** @type {Promise<Memory|Indexed>|undefined} */
let opened;

/** What stands in for it. @type {Memory|undefined} */
let memory;

/** Why what is done now is gone after a reload; "" while the browser keeps it. */
export const trouble = signal(/** @type {""|"full"|"blocked"} */ (""));

/** The open database; a stand-in in memory where the browser gives none, with `persistent === false`. */
function open() {
  opened ??= openIndexed().catch(async () => {
    trouble.value = "blocked";
    return memory ??= new (await part(() => import("./memory.js"))).Memory();
  });
  return opened;
}

async function openIndexed() {
  const opening = indexedDB.open(NAME, VERSION);
  opening.onupgradeneeded = () => {
    for (const [name, keyPath] of Object.entries(KEYS)) opening.result.createObjectStore(name, { keyPath });
  };
  /** @type {IDBDatabase} */
  const database = await answer(opening);
  // Another tab has a newer page: let it have the database.
  database.onversionchange = () => database.close();
  database.onclose = () => { opened = undefined; };
  return new Indexed(database);
}

/** A record; undefined without one. @param {StoreName} store @param {any} key */
export async function get(store, key) {
  return attempt(async () => (await open()).get(store, key), undefined);
}

/** All records of a store, or those of one document. @param {StoreName} store @param {string} [docId] @returns {Promise<any[]>} */
export async function list(store, docId) {
  return attempt(async () => (await open()).list(store, docId), []);
}

/** Save a record. Returns false where there is no space. @param {StoreName} store @param {any} record */
export async function put(store, record) {
  return write([{ store, put: record }]);
}

/** Delete a record. @param {StoreName} store @param {any} key */
export async function remove(store, key) {
  return write([{ store, delete: key }]);
}

/** Save and delete records, all or none. Returns false where there is no space. @param {Change[]} changes */
export async function write(changes) {
  return attempt(async () => { await (await open()).write(changes); return true; }, false);
}

/** Delete all records of a store, or those of one document. @param {StoreName} store @param {string} [docId] */
export async function clear(store, docId) {
  return attempt(async () => { await (await open()).clear(store, docId); return true; }, false);
}

/** Whether saved documents survive a reload. */
export async function isPersistent() {
  return (await open()).persistent;
}

/** @template T @param {() => Promise<T>} run @param {T} otherwise @returns {Promise<T>} */
async function attempt(run, otherwise) {
  try {
    return await run();
  } catch (error) {
    // The connection was closed under us (another tab upgraded, storage was cleared): open it once more, once.
    if (error instanceof DOMException && error.name === "InvalidStateError") {
      opened = undefined;
      try { return await run(); } catch { return otherwise; }
    }
    return otherwise;
  }
}
