/** The magic wand: colours like that under the pointer; a drag to the side changes the tolerance. */
import { effect } from "../../vendor/signals/signals-core.js";
import { Selection } from "./selection.js";

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./context.js").Place} Place */

/** Px of the screen for a step of the tolerance. */
const STEP = 3;
const STILL = 4;

export class Wand extends Selection {
  /** @override */
  name = "wand";
  /** @type {Place | null} */
  #seed = null;
  #start = { x: 0, tolerance: 0 };
  #dragging = false;
  /** The search that runs, and whether another is to follow. */
  #running = false;
  #again = false;

  /** @param {Context} context */
  constructor(context) {
    super(context);
    const { tolerance, contiguous } = context.settings;
    const prepares = effect(() => {
      if (context.settings.tool.value === this.name) context.ready.then(() => context.document.work.run("prepare"));
    });
    // A slider's move searches once more, from the same place.
    const searches = effect(() => {
      [tolerance.value, contiguous.value];
      if (this.#seed) this.#search();
    });
    const stops = [this.stop, prepares, searches];
    this.stop = () => { for (const stop of stops) stop(); };
  }

  /** @param {Place} place */
  begin(place) {
    const { width, height } = this.context.document;
    if (place.x < 0 || place.y < 0 || place.x >= width || place.y >= height) return this.discard();
    this.remember(place);
    this.#seed = place;
    this.#dragging = true;
    this.#start = { x: place.x, tolerance: this.context.settings.tolerance.peek() };
    return this.#search();
  }

  /** @param {Place[]} places */
  move(places) {
    if (!this.#dragging) return;
    const moved = (/** @type {Place} */ (places.at(-1)).x - this.#start.x) / this.context.onScreen(1);
    if (Math.abs(moved) < STILL) return;
    const { tolerance } = this.context.settings;
    tolerance.value = Math.max(0, Math.min(100, this.#start.tolerance + Math.round(moved / STEP)));
  }

  /** @param {Place} _place */
  end(_place) {
    if (!this.#dragging) return;
    this.#dragging = false;
    this.#search();
  }

  cancel() {
    this.#dragging = false;
    this.discard();
  }

  /** @override */
  discard() {
    this.#seed = null;
    super.discard();
  }

  /** @param {import("./context.js").Mode} [mode] @override */
  async apply(mode) {
    await this.searching;
    await super.apply(mode);
  }

  /** @type {Promise<void>} */
  searching = Promise.resolve();

  /** Search once more; moves in the meantime are one more search. */
  #search() {
    this.#again = true;
    if (!this.#running) this.searching = this.#run();
  }

  async #run() {
    this.#running = true;
    try {
      await this.context.ready;
      while (this.#again && this.#seed) await this.#find(this.#seed);
    } finally {
      this.#running = false;
    }
  }

  /** @param {Place} seed */
  async #find(seed) {
    this.#again = false;
    const { settings, document } = this.context;
    const how = { tolerance: settings.tolerance.peek(), contiguous: settings.contiguous.peek(), draft: this.#dragging };
    const region = await document.work.run("wand", seed.x, seed.y, how);
    if (this.#seed === seed) this.select(region);
  }
}
