/** What all tools share: the document, the settings, and what they show over the picture. */

/** @typedef {import("../document.js").EditorDocument} EditorDocument */
/** @typedef {import("../core/polygon.js").Region} Region */
/** @typedef {import("../core/region.js").Mode} Mode */
/** @typedef {{path?: [number, number][], closed?: boolean, handles?: boolean, marks?: {x: number, y: number, adds: boolean}[], region?: Region, cursor?: {x: number, y: number, radius: number, finger?: boolean}}} Overlay */
/** @typedef {{x: number, y: number, pressure?: number, pointer?: "mouse" | "pen" | "touch" | "key", opposite?: boolean, eraser?: boolean, shift?: boolean}} Place
 *   px of the picture */
/** @typedef {{name: string, pending: import("../../vendor/signals/signals-core.js").Signal<boolean>, begin(place: Place): void, move(places: Place[]): void,
 *   end(place: Place): void, cancel(): void, hover?(place: Place): void, back?(): void, apply?(mode?: Mode): void, discard?(): void, stop?(): void, ring?: boolean}} Tool */
/** @typedef {typeof import("../settings.js")} Settings */
/** @typedef {{document: EditorDocument, settings: Settings, overlay: {value: Overlay | null, peek(): Overlay | null},
 *   viewport: {scale: {value: number}}, say: (text: string) => void}} Parts */

export class Context {
  /** @param {Parts} parts */
  constructor({ document, settings, overlay, viewport, say }) {
    this.document = document;
    this.settings = settings;
    this.overlay = overlay;
    this.viewport = viewport;
    this.say = say;
    /** Whether the worker has the photo. @type {Promise<unknown>} */
    this.ready = Promise.resolve();
  }

  /** Show a part of the overlay; undefined hides it. @param {Partial<Overlay>} change */
  show(change) {
    const next = { ...this.overlay.peek(), ...change };
    const shown = Object.values(next).some((part) => part !== undefined && part !== false);
    this.overlay.value = shown ? next : null;
  }

  /** Px of the picture for this many of the screen. @param {number} px */
  onScreen(px) {
    return px / this.viewport.scale.value;
  }

  /** What a stroke does: erase or restore, reversed by the right button, and "erase" by a pen's other end. @param {Place} place */
  target(place) {
    const erases = this.settings.mode.value === "erase";
    return place.eraser ? 0 : erases !== Boolean(place.opposite) ? 0 : 255;
  }
}
