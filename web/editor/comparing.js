/**
 * Comparing the photo with the result: a split that a slider moves, side by side, or the photo while a key is held.
 */
import { signal } from "../vendor/signals/signals-core.js";

/** @typedef {"off" | "split" | "sides"} CompareMode */

export const MIDDLE = 50;
const STOPS = [0, MIDDLE, 100];

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

  /**
   * Use a key while comparing: 1 2 3 are before, middle and after. Returns whether the key did something.
   * @param {KeyboardEvent} event
   */
  key(event) {
    if (this.mode.value !== "split" || event.ctrlKey || event.metaKey || event.altKey) return false;
    // "Before" shows all of the photo, so the split is on the right.
    const stop = { 1: 100, 2: MIDDLE, 3: 0 }[event.key];
    if (stop === undefined) return false;
    this.at.value = stop;
    return true;
  }
}
