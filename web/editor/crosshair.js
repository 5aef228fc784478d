/** A crosshair that the arrow keys move and that paints: the whole editor without a pointer. */
import { t } from "../app/i18n/index.js";

/** @typedef {import("./pointers.js").Parts} Parts */
/** @typedef {import("./tools/context.js").Place} Place */

const ARM = 14;
/** Further away than this no edge is looked for. */
const FAR = 2000;
const PAN = 60;
const MARGIN = 24;

export class Crosshair {
  /** @type {{x: number, y: number} | null} */
  at = null;
  /** @type {import("./tools/context.js").Tool | null} */
  #pen = null;
  #shown = false;

  /** @param {Parts & {viewport: any}} parts */
  constructor(parts) {
    this.parts = parts;
  }

  /** @param {number} dx @param {number} dy px of the picture */
  move(dx, dy) {
    const { document } = this.parts;
    const at = this.#place();
    this.at = { x: within(at.x + dx, document.width), y: within(at.y + dy, document.height) };
    this.#follow();
    this.#pen?.move([this.place()]);
    this.show();
  }

  /** @param {number} dx @param {number} dy directions */
  pan(dx, dy) {
    this.parts.viewport.pan(-dx * PAN, -dy * PAN);
    if (this.#shown) this.show();
  }

  /** Press or release the pen. */
  pen() {
    const { say } = this.parts;
    if (this.#pen) {
      const pen = this.#pen;
      this.#pen = null;
      pen.end(this.place());
      say(t("keys_pen_up"));
    } else {
      this.#pen = this.#tool();
      if (!this.#pen) return;
      this.#pen.begin(this.place());
      say(t("keys_pen_down"));
    }
    this.show();
  }

  /** Click once. */
  dab() {
    const tool = this.#pen ? null : this.#tool();
    tool?.begin(this.place());
    tool?.end(this.place());
    this.show();
  }

  /** Release without a stroke. Returns whether the pen was down. */
  cancel() {
    const pen = this.#pen;
    this.#pen = null;
    pen?.cancel();
    if (!pen && this.#shown) this.hide();
    return Boolean(pen);
  }

  /** Say what is here. */
  describe() {
    const { document, say } = this.parts;
    const { x, y } = this.#place();
    const [px, py] = [Math.floor(x), Math.floor(y)];
    const { mask } = document;
    const kept = Math.round((100 * mask.at(px, py)) / 255);
    say(t("keys_here", { x: px, y: py, kept }) + edgeText(mask, px, py));
    this.show();
  }

  show() {
    this.#shown = true;
    const { overlay, settings, tools, viewport } = this.parts;
    const { x, y } = this.#place();
    const arm = ARM / viewport.scale.value;
    const busy = tools.get(settings.tool.value)?.pending.peek();
    const cross = /** @type {[number, number][]} */ ([[x - arm, y], [x + arm, y], [x, y], [x, y - arm], [x, y + arm]]);
    const ring = tools.get(settings.tool.value)?.ring ? settings.size.value / 2 : 3 / viewport.scale.value;
    overlay.value = { ...overlay.peek(), ...(busy ? {} : { path: cross, closed: false, handles: false }), cursor: { x, y, radius: ring } };
  }

  hide() {
    this.#shown = false;
    const { overlay, settings, tools } = this.parts;
    const busy = tools.get(settings.tool.value)?.pending.peek();
    const old = overlay.peek();
    if (old) overlay.value = busy ? { ...old, cursor: undefined } : null;
  }

  /** @returns {Place} */
  place() {
    return { ...this.#place(), pointer: "key", pressure: 1 };
  }

  #place() {
    const { document, viewport } = this.parts;
    // It begins where the person looks, in the middle of a pixel.
    this.at ??= { x: within(Math.floor(viewport.x.value) + 0.5, document.width), y: within(Math.floor(viewport.y.value) + 0.5, document.height) };
    return this.at;
  }

  #tool() {
    const { document, settings, tools, say } = this.parts;
    if (!document.readOnly?.peek()) return tools.get(settings.tool.value) ?? null;
    say(t("tool_read_only"));
    return null;
  }

  /** Keep the crosshair on the stage. */
  #follow() {
    const { viewport } = this.parts;
    const { left, top, width, height } = viewport.stage;
    const { x, y } = this.#place();
    const screen = viewport.toScreen(x, y);
    const dx = Math.min(0, left + width - MARGIN - screen.x) + Math.max(0, left + MARGIN - screen.x);
    const dy = Math.min(0, top + height - MARGIN - screen.y) + Math.max(0, top + MARGIN - screen.y);
    if (dx || dy) viewport.pan(dx, dy);
  }
}

/** @param {number} value @param {number} length */
function within(value, length) {
  return Math.max(0.5, Math.min(length - 0.5, value));
}

/** Say where the nearest edge of the cut-out is, along the row or the column. @param {import("./core/mask.js").Mask} mask @param {number} x @param {number} y */
function edgeText(mask, x, y) {
  const kept = mask.at(x, y) > 127;
  const sides = /** @type {[string, number, number][]} */ ([["left", -1, 0], ["right", 1, 0], ["up", 0, -1], ["down", 0, 1]]);
  for (let far = 1; far < FAR; far++) {
    const inside = sides.filter(([, dx, dy]) => x + dx * far >= 0 && y + dy * far >= 0 && x + dx * far < mask.width && y + dy * far < mask.height);
    if (!inside.length) return "";
    const found = inside.find(([, dx, dy]) => mask.at(x + dx * far, y + dy * far) > 127 !== kept);
    if (found) return t("keys_edge", { distance: far, side: t(`keys_${found[0]}`) });
  }
  return "";
}
