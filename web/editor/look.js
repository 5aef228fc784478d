/**
 * What the result looks like besides its cut-out: canvas, ground, shadow and clean edges, kept up to date with mask and options.
 */
import { computed, effect, signal, untracked } from "../vendor/signals/signals-core.js";
import { cleanColours } from "./gl/colours.js";
import { blurredGround, groundOf } from "./gl/ground.js";
import { plan } from "./gl/layout.js";
import { castShadow } from "./gl/shadow.js";
import { SmallMask } from "./gl/small.js";
import { DEFAULT_STRENGTH } from "./options.js";

/** @typedef {import("./gl/small.js").Rect} Rect */

/** ms without a change of the mask until what follows from all of it is made again. */
const SETTLED_MS = 180;

export class Look {
  /** The picture behind the subject. */
  picture = signal(/** @type {ImageBitmap | null} */ (null));
  /** The box of what is visible. */
  subject = signal(/** @type {Rect | null} */ (null));
  /** The kept share of the photo, 0 to 1. */
  kept = signal(1);
  colours = signal(/** @type {import("./gl/colours.js").CleanColours | null} */ (null));
  /** Counts how often the mask has settled. */
  #settled = signal(0);
  #timer = 0;

  /** @param {{width: number, height: number, photo: ImageBitmap, mask: any, options: {value: {[name: string]: string}}}} document */
  constructor(document) {
    const { mask, photo, width, height } = document;
    const size = { width, height };
    this.small = new SmallMask(mask);
    this.option = (/** @type {string} */ name) => document.options.value[name] ?? "";
    this.layout = computed(() => plan(width, height, this.subject.value, document.options.value));
    this.shadow = computed(() => {
      this.#settled.value;
      const strength = this.option("shadow_opacity");
      return castShadow(this.small, untracked(() => this.subject.value), this.option("shadow"), strength === "" ? DEFAULT_STRENGTH : Number(strength));
    });
    const blurred = computed(() => {
      this.#settled.value;
      return this.option("background_blur") ? blurredGround(photo, this.small, Number(this.option("background_blur"))) : null;
    });
    this.ground = computed(() => groundOf(document.options.value, this.layout.value.frame, this.picture.value, blurred.value, size));
    const stopColours = effect(() => {
      this.#settled.value;
      this.colours.value = cleanColours(photo, this.small);
    });
    const unsubscribe = mask.onChange(() => this.#wait());
    this.#settle(mask);
    this.settle = () => this.#settle(mask);
    this.close = () => {
      clearTimeout(this.#timer);
      unsubscribe();
      stopColours();
      this.small.close();
    };
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.settle(), SETTLED_MS);
  }

  /** @param {{kept: () => number}} mask */
  #settle(mask) {
    this.small.update();
    const box = this.small.box();
    const known = untracked(() => this.subject.value);
    if (JSON.stringify(box) !== JSON.stringify(known)) this.subject.value = box;
    this.kept.value = mask.kept();
    this.#settled.value = untracked(() => this.#settled.value) + 1;
  }
}
