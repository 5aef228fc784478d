/** What the result looks like besides its cut-out: canvas, ground, shadow and clean edges, in step with mask and options. */
import { computed, effect, signal, untracked } from "../vendor/signals/signals-core.js";
import { SmallMask } from "./gl/small.js";

/** @typedef {import("./gl/small.js").Rect} Rect */

/** ms without a change of the mask until what follows from all of it is made again. */
const SETTLED_MS = 180;
const COLOURS_LATER_MS = 120;
const LONGEST_FRAME_MS = 1000;
const IDLE_MS = 500;
const DEFAULT_STRENGTH = "50";

/** What lays out a canvas and a ground: loaded when options ask for one. */
const composing = signal(/** @type {{plan: typeof import("./gl/layout.js").plan, groundOf: typeof import("./gl/ground.js").groundOf} | null} */ (null));

/** Load it. */
export async function loadComposing() {
  const [{ plan }, { groundOf }] = await Promise.all([import("./gl/layout.js"), import("./gl/ground.js")]);
  composing.value ??= { plan, groundOf };
}

export class Look {
  /** The picture behind the subject. */
  picture = signal(/** @type {ImageBitmap | null} */ (null));
  /** The box of what is visible. */
  subject = signal(/** @type {Rect | null} */ (null));
  /** The kept share of the photo, 0 to 1. */
  kept = signal(1);
  shadow = signal(/** @type {import("./gl/shadow.js").SoftShadow | null} */ (null));
  blurred = signal(/** @type {HTMLCanvasElement | null} */ (null));
  colours = signal(/** @type {import("./gl/colours.js").CleanColours | null} */ (null));
  /** Effects that are still being made. */
  making = 0;
  /** Counts how often the mask has settled. */
  #settled = signal(0);
  #timer = 0;
  #closed = false;

  /** @param {import("./document.js").EditorDocument} document */
  constructor(document) {
    const { mask, photo, width, height, options } = document;
    this.document = document;
    this.small = new SmallMask(mask);
    /** @type {{readonly value: import("./gl/layout.js").Layout}} */
    this.layout = computed(() => composing.value?.plan(width, height, this.subject.value, options.value) ?? { width, height, frame: { x: 0, y: 0, width, height } });
    /** @type {{readonly value: import("./gl/ground.js").Ground}} */
    this.ground = computed(() => composing.value?.groundOf(options.value, this.layout.value.frame, this.picture.value, this.blurred.value, { width, height }) ?? { kind: "none" });
    const option = (/** @type {string} */ name) => computed(() => options.value[name] ?? "");
    const [kind, strength, blur] = [option("shadow"), option("shadow_opacity"), option("background_blur")];
    const unsubscribe = mask.onChange(() => this.#wait());
    this.settle();
    // Each effect's code is loaded when it is used for the first time.
    const stops = [
      this.#follow(this.shadow, () => kind.value && [kind.value, Number(strength.value || DEFAULT_STRENGTH)], async ([name, opacity]) => {
        const { castShadow } = await import("./gl/shadow.js");
        return castShadow(this.small, this.subject.peek(), name, opacity);
      }),
      this.#follow(this.blurred, () => blur.value && [Number(blur.value)], async ([amount]) => {
        const { blurredGround } = await import("./gl/blurred.js");
        return blurredGround(photo, this.small, amount);
      }),
      this.#follow(this.colours, () => [], async () => {
        // The picture is seen before its edges are cleaned.
        await painted();
        await new Promise((done) => setTimeout(done, COLOURS_LATER_MS));
        const { cellsOf } = await import("./gl/colours.js");
        return document.later.run("cleanColours", cellsOf(photo, this.small));
      }),
    ];
    this.close = () => {
      this.#closed = true;
      clearTimeout(this.#timer);
      unsubscribe();
      for (const stop of stops) stop();
      this.small.close();
    };
  }

  /**
   * Keep a signal at what is made of the settled mask and what `asks` reads; null where it asks for nothing.
   * @template T @param {{value: T | null}} target @param {() => any[] | ""} asks @param {(asked: any[]) => Promise<T | null>} make
   */
  #follow(target, asks, make) {
    let turn = 0;
    return effect(() => {
      this.#settled.value;
      const asked = asks();
      const mine = ++turn;
      if (!asked) {
        target.value = null;
        return;
      }
      this.making++;
      make(asked).then((made) => { if (mine === turn && !this.#closed) target.value = made; }, () => undefined).finally(() => { this.making--; });
    });
  }

  /** Take no more of the mask than the photo's own transparency leaves. @param {(Uint8Array | undefined)[]} own by the mask's tiles */
  limit(own) {
    this.small.limit(own);
    this.settle();
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.settle(), SETTLED_MS);
  }

  /** Make again what follows from all of the mask. */
  settle() {
    if (this.#closed) return;
    this.small.update();
    const box = this.small.box();
    if (JSON.stringify(box) !== JSON.stringify(this.subject.peek())) this.subject.value = box;
    this.kept.value = this.small.kept();
    this.#settled.value = untracked(() => this.#settled.value) + 1;
  }
}

/** Resolves when the next frame is on the screen; a tab in the background has none. */
export function painted() {
  const frame = new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return Promise.race([frame, new Promise((done) => setTimeout(done, LONGEST_FRAME_MS))]);
}

/** Resolves when the page has nothing else to do, or after a moment. @returns {Promise<unknown>} */
export function idleTime() {
  return new Promise((done) => { if ("requestIdleCallback" in globalThis) requestIdleCallback(done, { timeout: IDLE_MS }); else setTimeout(done, IDLE_MS); });
}
