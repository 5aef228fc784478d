/** One tab edits a document; others see it and can take it over. */

import * as db from "../app/db.js";

const CHANNEL = "studio-editor";
const PATIENCE_MS = 150;
const HANDOVER_MS = 2000;

export class Lease {
  /** Called when another tab takes the document over. @type {() => Promise<void> | void} */
  onLost = () => {};
  #held = false;
  #tab = crypto.getRandomValues(new Uint32Array(2)).join();
  /** @type {Set<(message: {id: string, said: string}) => void>} */
  #waiting = new Set();

  #key;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.#key = `lease ${id}`;
    this.channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(CHANNEL) : null;
    this.channel?.addEventListener("message", ({ data }) => this.#hear(data));
  }

  /** Take the document unless another tab has it. Returns whether another has. */
  async take() {
    const other = await this.isElsewhere();
    this.#held = !other;
    if (!other) await db.put("settings", { key: this.#key, tab: this.#tab });
    return other;
  }

  /** Whether another editor has the document. @param {number} [ms] how long it has to answer */
  isElsewhere(ms = PATIENCE_MS) {
    this.#say("whose");
    return this.#hears("mine", ms);
  }

  /** Whether no other tab has taken the document since, as one does that heard no answer. */
  async isHeld() {
    const record = await db.get("settings", this.#key);
    return !record || record.tab === this.#tab;
  }

  /** Ask the other tab to save and stop. */
  async takeOver() {
    this.#say("give");
    await this.#hears("given", HANDOVER_MS);
  }

  close() {
    this.#held = false;
    this.channel?.close();
    this.channel = null;
  }

  /** @param {string} said */
  #say(said) {
    this.channel?.postMessage({ id: this.id, said });
  }

  /** @param {string} said @param {number} ms @returns {Promise<boolean>} */
  #hears(said, ms) {
    if (!this.channel) return Promise.resolve(false);
    return new Promise((resolve) => {
      const done = (/** @type {boolean} */ heard) => {
        clearTimeout(timer);
        this.#waiting.delete(hear);
        resolve(heard);
      };
      const timer = setTimeout(() => done(false), ms);
      const hear = (/** @type {{said: string}} */ message) => {
        if (message.said === said) done(true);
      };
      this.#waiting.add(hear);
    });
  }

  /** @param {{id: string, said: string}} message */
  async #hear(message) {
    if (message.id !== this.id) return;
    for (const hear of this.#waiting) hear(message);
    if (!this.#held) return;
    if (message.said === "whose") this.#say("mine");
    if (message.said === "give") {
      this.#held = false;
      await this.onLost();
      this.#say("given");
    }
  }
}
