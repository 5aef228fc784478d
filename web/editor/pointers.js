/** Mouse, pen and fingers on the stage. */
import { effect } from "../vendor/signals/signals-core.js";
import { t } from "../app/i18n/index.js";

/** @typedef {import("./tools/context.js").Place} Place */
/** @typedef {import("./tools/context.js").Tool} Tool */
/** @typedef {{scale: {value: number}, toImage(x: number, y: number): {x: number, y: number}, zoomAt(x: number, y: number, factor: number): void,
 *   pan(dx: number, dy: number): void}} View */
/** @typedef {{tools: Map<string, Tool>, settings: typeof import("./settings.js"), viewport: View, document: import("./document.js").EditorDocument,
 *   overlay: import("./tools/context.js").Parts["overlay"], say: (text: string) => void}} Parts */
/** @typedef {"draw" | "pan" | "pinch" | null} Doing */

/** A stroke that is younger than this was the first finger of a pinch. */
const PINCH_MS = 150;
const WHEEL = 0.002;
const TRACKPAD = 0.01;
/** Px of a wheel's line and page. */
const UNITS = [1, 16, 400];
const ZOOM_STEP = 1.5;

/** @param {HTMLElement} element the stage @param {Parts} parts @returns {() => void} */
export function attachPointers(element, parts) {
  return new Pointers(element, parts).detach;
}

class Pointers {
  /** Where each finger is. @type {Map<number, {x: number, y: number}>} */
  #fingers = new Map();
  /** @type {Doing} */
  #doing = null;
  #id = -1;
  /** What it is: "mouse", "pen" or "touch". */
  #kind = "";
  #began = 0;
  #penSeen = false;
  #space = false;
  /** @type {Tool | null} */
  #tool = null;
  /** What the pointer began with. @type {Partial<Place>} */
  #how = {};
  #last = { x: 0, y: 0 };

  /** @param {HTMLElement} element @param {Parts} parts */
  constructor(element, parts) {
    this.element = element;
    this.parts = parts;
    const stop = new AbortController();
    const { signal } = stop;
    const on = (/** @type {string} */ name, /** @type {(event: any) => void} */ run) => element.addEventListener(name, run, { signal, passive: false });
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    on("pointerup", (event) => this.#up(event));
    on("pointercancel", (event) => this.#cancel(event));
    on("pointerleave", () => this.#ring(null));
    on("wheel", (event) => this.#wheel(event));
    on("contextmenu", (event) => event.preventDefault());
    on("keydown", (event) => this.#hold(event, true));
    on("keyup", (event) => this.#hold(event, false));
    on("blur", () => { this.#space = false; });
    element.style.touchAction = "none";
    const followTool = effect(() => {
      const name = parts.settings.tool.value;
      element.style.cursor = name === "hand" ? "grab" : name === "zoom" ? "zoom-in" : "crosshair";
      this.#changeTool(name);
    });
    this.detach = () => {
      this.#tool?.cancel();
      stop.abort();
      followTool();
    };
  }

  /** What another tool has begun is dropped. @param {string} name */
  #changeTool(name) {
    for (const tool of this.parts.tools.values()) if (tool.name !== name && tool.pending.peek()) tool.discard?.();
    const { tools, settings } = this.parts;
    if (tools.get(name)?.ring && settings.mode.peek() === "keep") settings.mode.value = "erase";
    this.#ring(null);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    // A mouse's buttons for pages back and forward.
    if (event.button === 3 || event.button === 4) return;
    this.element.focus({ preventScroll: true });
    if (event.pointerType === "pen") this.#takePen();
    if (event.pointerType === "touch") {
      // The hand that holds the pen.
      if (this.#doing && this.#kind === "pen") return;
      this.#fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (this.#fingers.size === 2) return this.#pinch(event.timeStamp);
      if (this.#fingers.size > 2) return;
    }
    if (this.#doing) return;
    event.preventDefault();
    this.#capture(event.pointerId);
    this.#id = event.pointerId;
    this.#kind = event.pointerType;
    this.#last = { x: event.clientX, y: event.clientY };
    if (this.#pans(event)) this.#doing = "pan";
    else if (this.parts.settings.tool.value === "zoom") this.parts.viewport.zoomAt(event.clientX, event.clientY, event.altKey || event.button === 2 ? 1 / ZOOM_STEP : ZOOM_STEP);
    else this.#draw(event);
  }

  /** A pen takes precedence: a gesture that the hand has begun is dropped. */
  #takePen() {
    this.#penSeen = true;
    this.#fingers.clear();
    if (this.#kind !== "touch") return;
    if (this.#doing === "draw") this.#tool?.cancel();
    this.#rest();
  }

  /** @param {PointerEvent} event */
  #pans(event) {
    if (event.pointerType === "touch" && this.#penSeen) return true;
    return this.#space || event.button === 1 || this.parts.settings.tool.value === "hand";
  }

  /** @param {PointerEvent} event */
  #draw(event) {
    const { tools, settings, document, say } = this.parts;
    if (document.readOnly?.peek()) return say(t("tool_read_only"));
    const tool = tools.get(settings.tool.value);
    if (!tool) return;
    const pen = event.pointerType === "pen";
    // A pen's other end is button 5, its barrel button 2.
    this.#how = { pointer: /** @type {Place["pointer"]} */ (event.pointerType), opposite: event.button === 2 || event.altKey, eraser: pen && event.button === 5 };
    this.#doing = "draw";
    this.#tool = tool;
    this.#began = event.timeStamp;
    tool.begin(this.#place(event));
    this.#ring(event);
  }

  /** @param {PointerEvent} event @returns {Place} */
  #place(event) {
    return { ...this.parts.viewport.toImage(event.clientX, event.clientY), ...this.#how, pressure: event.pressure, shift: event.shiftKey };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (this.#fingers.has(event.pointerId) && this.#doing === "pinch") return this.#stretch(event);
    // A finger hides what is under it: it has a ring and a magnifier while it paints.
    if (event.pointerType !== "touch" || (this.#doing === "draw" && event.pointerId === this.#id)) this.#ring(event);
    if (event.pointerId !== this.#id || !this.#doing) {
      if (!this.#doing) this.parts.tools.get(this.parts.settings.tool.peek())?.hover?.(this.#place(event));
      return;
    }
    // It was released where the page could not see it.
    if (!event.buttons) return this.#up(event);
    if (this.#doing === "pan") {
      this.parts.viewport.pan(event.clientX - this.#last.x, event.clientY - this.#last.y);
      this.#last = { x: event.clientX, y: event.clientY };
    } else this.#tool?.move(coalesced(event).map((part) => this.#place(part)));
  }

  /** @param {PointerEvent} event */
  #up(event) {
    this.#fingers.delete(event.pointerId);
    if (this.#doing === "pinch") {
      if (!this.#fingers.size) this.#doing = null;
      return;
    }
    if (event.pointerId !== this.#id) return;
    const tool = this.#tool;
    const drew = this.#doing === "draw";
    this.#rest();
    if (drew) tool?.end(this.#place(event));
  }

  /** @param {PointerEvent} event */
  #cancel(event) {
    this.#fingers.delete(event.pointerId);
    if (event.pointerId === this.#id && this.#doing === "draw") this.#tool?.cancel();
    if (event.pointerId === this.#id || (this.#doing === "pinch" && !this.#fingers.size)) this.#rest();
  }

  #rest() {
    if (this.#how.pointer === "touch") this.#ring(null);
    this.#doing = null;
    this.#tool = null;
    this.#id = -1;
  }

  /** The second finger: zoom and move, and take back what the first one has just begun. @param {number} now */
  #pinch(now) {
    if (this.#doing === "draw") {
      if (now - this.#began < PINCH_MS) this.#tool?.cancel();
      else this.#tool?.end(this.#placeOf(this.#id));
    }
    this.#rest();
    this.#doing = "pinch";
    for (const id of this.#fingers.keys()) this.#capture(id);
  }

  /** @param {number} id @returns {Place} */
  #placeOf(id) {
    const { x, y } = this.#fingers.get(id) ?? this.#last;
    return { ...this.parts.viewport.toImage(x, y), ...this.#how };
  }

  /** @param {PointerEvent} event */
  #stretch(event) {
    const before = [...this.#fingers.values()].slice(0, 2);
    this.#fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const after = [...this.#fingers.values()].slice(0, 2);
    if (after.length < 2) return;
    const [from, to] = [middle(before), middle(after)];
    this.parts.viewport.pan(to.x - from.x, to.y - from.y);
    this.parts.viewport.zoomAt(to.x, to.y, to.span / Math.max(1, from.span));
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const px = event.deltaY * UNITS[event.deltaMode];
    this.parts.viewport.zoomAt(event.clientX, event.clientY, Math.exp(-px * (event.ctrlKey ? TRACKPAD : WHEEL)));
    this.#ring(/** @type {any} */ (event));
  }

  /** @param {KeyboardEvent} event @param {boolean} held */
  #hold(event, held) {
    if (event.key !== " ") return;
    event.preventDefault();
    this.#space = held;
  }

  /** Show the brush's ring. @param {PointerEvent | null} event */
  #ring(event) {
    const { overlay, settings, tools, viewport } = this.parts;
    const shown = event && tools.get(settings.tool.peek())?.ring;
    const old = overlay.peek();
    if (!shown) {
      if (old?.cursor) overlay.value = { ...old, cursor: undefined };
      return;
    }
    const ahead = /** @type {any} */ (event).getPredictedEvents?.()[0] ?? event;
    const { x, y } = viewport.toImage(ahead.clientX, ahead.clientY);
    overlay.value = { ...old, cursor: { x, y, radius: settings.size.peek() / 2, finger: event.pointerType === "touch" } };
  }

  /** @param {number} id */
  #capture(id) {
    try {
      this.element.setPointerCapture(id);
    } catch {
      // The pointer is gone already.
    }
  }
}

/** Return all positions of a move; one where the browser gives only that (insecure contexts). @param {PointerEvent} event */
function coalesced(event) {
  const all = event.getCoalescedEvents?.() ?? [];
  return all.length ? all : [event];
}

/** @param {{x: number, y: number}[]} fingers */
function middle([a, b]) {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, span: Math.hypot(a.x - b.x, a.y - b.y) };
}
