/** Numbers that both renderers share. */

/** Side of a checker's square, in CSS px. */
export const CHECKER = 10;
/** What lies outside the canvas is faded by this much. */
export const FADED = 0.78;
/** From this scale on, px are squares, and from `GRID` on they have a grid. */
export const SQUARES = 3;
export const GRID = 16;

/**
 * Place a rectangle of the photo in a pane, in device px from the stage's left and top.
 * @param {import("./types.js").Rect} rect @param {import("./types.js").Pane} pane @param {import("./types.js").Scene} scene @returns {[number, number, number, number]} left, top, right, bottom
 */
export function placed(rect, pane, { scale, x, y, ratio }) {
  const left = pane.left + pane.width / 2 + (rect.x - x) * scale;
  const top = pane.top + pane.height / 2 + (rect.y - y) * scale;
  return [left * ratio, top * ratio, (left + rect.width * scale) * ratio, (top + rect.height * scale) * ratio];
}
