/**
 * What a renderer draws, and the numbers that both renderers share.
 *
 * @typedef {import("./small.js").Rect} Rect
 * @typedef {import("../viewport.js").Pane} Pane
 * @typedef {[number, number, number]} Light red, green and blue, 0 to 1
 * @typedef {"none" | "red" | "outline" | "mask"} OverlayMode
 * @typedef {object} Scene
 * @property {number} ratio device px for each CSS px
 * @property {(Pane & {shows: "result" | "photo"})[]} panes
 * @property {number} scale CSS px for each px of the photo
 * @property {number} x the photo's point in the middle of each pane
 * @property {number} y
 * @property {Rect} frame the result's canvas
 * @property {import("./ground.js").Ground} ground
 * @property {import("./shadow.js").SoftShadow | null} shadow
 * @property {OverlayMode} overlay
 * @property {number | null} split where the photo ends and the result begins, in CSS px from the pane's left; null without one
 * @property {{stage: Light, checker: [Light, Light]}} colours
 * @property {boolean} [bare] whether only the result is drawn, without checker and surroundings
 *
 * @typedef {object} Source
 * @property {ImageBitmap | HTMLCanvasElement} photo
 * @property {import("./small.js").Tiled} mask
 *
 * @typedef {object} Renderer
 * @property {(scene: Scene) => boolean} draw returns whether there is more to draw in the next frame
 * @property {(width: number, height: number) => void} resize in device px
 * @property {(colours: import("./colours.js").CleanColours | null) => void} setColours
 * @property {() => void} close
 */

/** Side of a checker's square, in CSS px. */
export const CHECKER = 10;
/** What lies outside the canvas is faded by so much. */
export const FADED = 0.78;
/** From this scale on, px are squares, and from `GRID` on they have a grid. */
export const SQUARES = 3;
export const GRID = 16;

/**
 * Place a rectangle of the photo in a pane, in device px from the stage's left and top.
 * @param {Rect} rect @param {Pane} pane @param {Scene} scene @returns {[number, number, number, number]} left, top, right, bottom
 */
export function placed(rect, pane, { scale, x, y, ratio }) {
  const left = pane.left + pane.width / 2 + (rect.x - x) * scale;
  const top = pane.top + pane.height / 2 + (rect.y - y) * scale;
  return [left * ratio, top * ratio, (left + rect.width * scale) * ratio, (top + rect.height * scale) * ratio];
}
