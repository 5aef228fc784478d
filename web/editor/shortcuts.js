/**
 * What pointers and keys do to the view: the tools' own are attached by `pointers.js` and, later, by `keys.js`.
 */
import { attachPointers } from "./pointers.js";

/** @typedef {import("./session.js").Session} Session */

const WHEEL = 0.002;

/**
 * @param {HTMLElement} editor @param {HTMLElement} element the stage @param {Session} session @param {import("./stage.js").Stage} stage
 * @returns {() => void}
 */
export function attachEditor(editor, element, session, stage) {
  const { tools, settings, viewport, document } = session;
  const parts = { tools, settings, viewport, document, overlay: session.overlay, say: session.say };
  const detach = attachPointers(element, parts);
  const keys = new AbortController();
  const { signal } = keys;
  editor.addEventListener("keydown", (event) => {
    const onView = event.target === element || /** @type {HTMLElement} */ (event.target).classList.contains("compare-slider");
    if (onView && session.compare.key(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }, { capture: true, signal });
  element.addEventListener("dblclick", () => {
    if (session.compare.mode.value === "split" && settings.tool.value === "hand") session.compare.next();
  }, { signal });
  // The slider's handle lies over the stage.
  element.parentElement?.addEventListener("wheel", (event) => {
    if (element.contains(/** @type {Node} */ (event.target))) return;
    event.preventDefault();
    viewport.zoomAt(event.clientX, event.clientY, Math.exp(-event.deltaY * WHEEL));
  }, { passive: false, signal });
  // Painting is done on the result alone.
  element.addEventListener("pointerdown", () => {
    if (settings.tool.value !== "hand" && session.compare.mode.value === "split") session.compareBy("off");
    stage.redraw();
  }, { capture: true, signal });
  return () => {
    keys.abort();
    detach();
    session.compare.photo.value = false;
  };
}
