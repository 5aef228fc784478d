/** What the stage shows of a document: its look, the part in view, comparing with the photo, and what lies over it. */
import { signal } from "../vendor/signals/signals-core.js";
import { Look } from "./look.js";
import * as settings from "./settings.js";
import { Stage } from "./stage.js";
import { Viewport } from "./viewport.js";

/** @typedef {"off" | "split" | "sides"} CompareMode */

export const MIDDLE = 50;
const STOPS = [0, MIDDLE, 100];
/** Below this share of the photo nothing was found. */
export const NOTHING = 0.0005;

export class Picture {
  compare = new Compare();
  overlay = signal(/** @type {import("./overlay.js").Overlay | null} */ (null));
  /** Lines across the canvas. */
  lines = signal(/** @type {import("./overlay.js").Guide[]} */ ([]));

  /** @param {import("./document.js").EditorDocument} document @param {boolean} fresh whether the photo was never edited */
  constructor(document, fresh) {
    this.document = document;
    this.fresh = fresh;
    this.viewport = new Viewport(document.width, document.height);
    this.look = new Look(document);
    // The first look is at what was done.
    if (fresh && this.look.kept.value >= NOTHING) this.compare.mode.value = "split";
  }

  /** Show it on a stage. @param {HTMLElement} element @param {import("./gl/types.js").Renderer} renderer */
  show(element, renderer) {
    const phone = matchMedia("(max-width: 700px), (max-width: 900px) and (orientation: portrait)").matches;
    // A fitted picture stays clear of what floats over the stage.
    const [left, right] = globalThis.document.documentElement.dir === "rtl" ? [28, 84] : [84, 28];
    this.viewport.insets = phone ? { left: 12, top: 12, right: 12, bottom: 60 } : { left, top: 28, right, bottom: 76 };
    const stage = new Stage(element, { ...this, mode: settings.overlay, guides: this.lines }, renderer);
    if (this.document.view.value) this.viewport.restore(this.document.view.value);
    stage.first();
    return stage;
  }

  close() {
    this.look.close();
    this.look.picture.value?.close();
  }
}

/** Comparing the photo with the result: a split that a slider moves, side by side, or the photo while a key is held. */
export class Compare {
  mode = signal(/** @type {CompareMode} */ ("off"));
  /** Where the split is, 0 to 100 of the picture on the stage: left of it is the photo. */
  at = signal(MIDDLE);
  /** Whether the photo is shown instead of the result, while a key is held. */
  photo = signal(false);

  /** Move to the next of before, middle and after. */
  next() {
    this.at.value = STOPS[(STOPS.findIndex((stop) => stop >= this.at.value) + 1) % STOPS.length];
  }
}
