/** The brush: every pointer event is a segment of one stroke; one stroke is one step of the history. */
import { signal } from "../../vendor/signals/signals-core.js";
import { Stroke } from "../core/raster.js";

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./context.js").Place} Place */

/** The least part of the brush that a pen's light touch leaves. */
const LIGHTEST = 0.05;

export class Brush {
  name = "brush";
  ring = true;
  pending = signal(false);
  /** @type {{stroke: Stroke, transaction: import("../core/history.js").Transaction} | null} */
  active = null;
  /** Where the last stroke ended; a click with Shift draws a line from there. @type {Place | null} */
  last = null;

  /** @param {Context} context */
  constructor(context) {
    this.context = context;
  }

  /** @param {Place} place */
  begin(place) {
    const { document } = this.context;
    const transaction = document.history.begin(this.name);
    const stroke = new Stroke(document.mask, transaction, this.brush(place));
    this.active = { stroke, transaction };
    const { pressure, pointer } = place;
    this.move(place.shift && this.last ? [{ ...this.last, pressure, pointer }, place] : [place]);
  }

  /** @param {Place[]} places */
  move(places) {
    for (const place of places) {
      // Something else has made a step of what was painted: the rest is another.
      if (this.active && !this.active.transaction.isOpen) this.begin({ ...(this.last ?? place), shift: false });
      this.active?.stroke.to(point(place));
      this.last = place;
    }
  }

  /** @param {Place} _place */
  end(_place) {
    this.finish();
  }

  /** Make the stroke a step of the history. */
  finish() {
    const entry = this.active?.transaction.commit() ?? null;
    this.active = null;
    return entry;
  }

  cancel() {
    this.active?.transaction.cancel();
    this.active = null;
  }

  /** @param {Place} place @returns {import("../core/raster.js").Brush} */
  brush(place) {
    const { settings } = this.context;
    return { target: this.context.target(place), size: settings.size.value, hardness: settings.hardness.value, opacity: settings.opacity.value };
  }
}

/** @param {Place} place @returns {import("../core/raster.js").Point} */
function point(place) {
  const force = forceOf(place);
  return { x: place.x, y: place.y, size: force, opacity: force };
}

/** @param {Place} place */
export function forceOf({ pressure, pointer }) {
  return pointer === "pen" ? Math.max(LIGHTEST, pressure ?? 1) : 1;
}

/** Paint once where nobody sees it: the first strokes run before the browser has compiled the brush. @param {typeof import("../core/mask.js").Mask} Mask */
export function warmUp(Mask) {
  const mask = new Mask(512, 512);
  const stroke = new Stroke(mask, { touch: (n) => mask.tile(n).slice() }, { target: 0, size: 120, hardness: 0.5, opacity: 0.5 });
  for (let i = 0; i < 40; i++) stroke.to({ x: 12 * i, y: 250 + 40 * Math.sin(i) });
}
