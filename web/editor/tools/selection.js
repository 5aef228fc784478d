/** A region that waits: shown with feather and growth, used on the mask by `apply`, dropped by `discard`. */
import { effect, signal } from "../../vendor/signals/signals-core.js";
import { t } from "../../app/i18n/index.js";
import { applyRegion, shaped } from "../core/region.js";

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./context.js").Place} Place */
/** @typedef {import("./context.js").Region} Region */
/** @typedef {import("./context.js").Mode} Mode */

/** Larger regions are shaped by the worker. */
const QUICK_PIXELS = 3e5;
const OTHER = /** @type {const} */ ({ erase: "restore", restore: "erase", keep: "erase" });

/** @abstract */
export class Selection {
  name = "";
  pending = signal(false);
  #raw = signal(/** @type {Region | null} */ (null));
  /** @type {Region | null} */
  #shaped = null;
  #opposite = false;
  #turn = 0;
  /** @type {Promise<void>} */
  #shaping = Promise.resolve();

  /** @param {Context} context */
  constructor(context) {
    this.context = context;
    this.stop = effect(() => {
      const raw = this.#raw.value;
      const { grow, feather } = context.settings;
      if (raw) this.#shaping = this.#shape(raw, { grow: grow.value, feather: feather.value });
    });
  }

  /** @param {Place} place */
  remember(place) {
    this.#opposite = Boolean(place.opposite);
  }

  /** Show a region that waits. @param {Region | null} region */
  select(region) {
    if (!region || !region.width || !region.height) return this.discard();
    this.#raw.value = region;
    this.pending.value = true;
  }

  get region() {
    return this.#shaped;
  }

  /** Use the region on the mask. @param {Mode} [mode] */
  async apply(mode = /** @type {Mode} */ (this.context.settings.mode.value)) {
    await this.#shaping;
    const region = this.#shaped;
    const { mask, history } = this.context.document;
    const used = this.#opposite ? OTHER[mode] : mode;
    this.discard();
    if (this.context.document.readOnly.peek()) return this.context.say(t("tool_read_only"));
    if (region) applyRegion(mask, history, region, used, this.name);
  }

  discard() {
    this.#turn++;
    this.#raw.value = null;
    this.#shaped = null;
    this.pending.value = false;
    this.context.show({ region: undefined, path: undefined, handles: undefined, closed: undefined, marks: undefined });
  }

  /** @param {Region} raw @param {{grow: number, feather: number}} how */
  async #shape(raw, how) {
    const turn = ++this.#turn;
    const { document } = this.context;
    const parts = { ...how, width: document.width, height: document.height };
    const quick = raw.bytes.length < QUICK_PIXELS || (!how.grow && !how.feather);
    const region = quick ? shaped(raw, parts) : await document.work.run("shape", raw, parts);
    if (turn !== this.#turn) return;
    this.#shaped = region;
    this.context.show({ region });
  }
}
