/**
 * The stage: keeps its renderer, its size and its scene in step with document, view and options; draws once a frame.
 */
import { effect, signal } from "../vendor/signals/signals-core.js";
import { union } from "./core/mask.js";
import { painted } from "./look.js";

/** @typedef {import("./gl/types.js").Scene} Scene */
/** @typedef {import("./gl/types.js").Light} Light */
/**
 * @typedef {object} StageParts
 * @property {any} document
 * @property {import("./viewport.js").Viewport} viewport
 * @property {import("./look.js").Look} look
 * @property {import("./picture.js").Compare} compare
 * @property {{value: import("./gl/types.js").OverlayMode}} mode what is shown over the cut-out
 * @property {{value: import("./overlay.js").Overlay | null}} overlay
 * @property {{value: import("./overlay.js").Guide[]}} guides
 */

/** More device px for each CSS px are not worth their cost. */
const LARGEST_RATIO = 2;

export class Stage {
  /** Where the picture begins and ends on the stage, in CSS px. */
  span = signal({ left: 0, right: 0 });
  #frame = 0;
  #drawn = false;
  /** Whether the first frame is on its way to the screen. */
  #held = false;
  #closed = false;
  #ratio = 0;
  /** @type {Scene | null} */
  #scene = null;

  /** @param {HTMLElement} element with a canvas for the overlay and two probes of the checker's colours @param {StageParts} parts
   * @param {import("./gl/types.js").Renderer} renderer what draws the picture */
  constructor(element, parts, renderer) {
    this.element = element;
    this.parts = parts;
    const overlay = /** @type {HTMLCanvasElement} */ (element.querySelector("canvas"));
    renderer.canvas.className = "ed-picture";
    element.prepend(renderer.canvas);
    this.renderer = renderer;
    renderer.show(parts.document.mask, parts.look.small, () => this.redraw());
    /** @type {import("./overlay.js").OverlayCanvas | null} */
    this.overlay = null;
    // The picture comes first; what lies over it follows.
    import("./overlay.js").then(({ OverlayCanvas }) => {
      this.overlay = new OverlayCanvas(overlay, () => this.redraw());
      this.overlay.resize(renderer.canvas.width, renderer.canvas.height);
      this.#drawOverlay();
    });
    this.colours = coloursOf(element);
    this.#held = true;
    const sizes = new ResizeObserver(() => this.#resize());
    sizes.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const recolour = () => {
      this.colours = coloursOf(element);
      this.#update();
    };
    scheme.addEventListener("change", recolour);
    const schemes = new MutationObserver(recolour);
    schemes.observe(document.documentElement, { attributeFilter: ["data-scheme"] });
    const unsubscribe = parts.document.mask.onChange(() => this.redraw());
    this.#resize();
    const stops = [
      effect(() => this.renderer.setColours(parts.look.colours.value)),
      effect(() => {
        const { width, height } = parts.document;
        parts.viewport.show(union(parts.look.layout.value.frame, { x: 0, y: 0, width, height }));
      }),
      effect(() => this.#update()),
    ];
    this.close = () => {
      this.#closed = true;
      cancelAnimationFrame(this.#frame);
      sizes.disconnect();
      schemes.disconnect();
      scheme.removeEventListener("change", recolour);
      unsubscribe();
      for (const stop of stops) stop();
      this.renderer.close();
    };
  }

  /** Draw at once, so that the graphics card works while the rest of the page is made; what changes until that is seen follows in the next frame. */
  async first() {
    this.#held = true;
    this.draw();
    await painted();
    this.#held = false;
    this.redraw();
  }

  /** Draw in the next frame. */
  redraw() {
    if (this.#frame || this.#held || this.#closed) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.draw();
    });
  }

  /** Draw the scene of now. */
  draw() {
    const scene = this.#scene;
    if (!scene) return;
    this.#drawn = true;
    const more = this.renderer.draw(scene);
    this.#drawOverlay();
    if (more) this.redraw();
  }

  #drawOverlay() {
    if (this.#scene) this.overlay?.draw({ scene: this.#scene, tool: this.parts.overlay.value, guides: this.parts.guides.value, picture: this.renderer.canvas });
  }

  #resize() {
    if (this.#closed) return;
    const { left, top, width, height } = this.element.getBoundingClientRect();
    const ratio = this.#ratio = ratioOf();
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    const { canvas } = this.renderer;
    const other = canvas.width !== across || canvas.height !== down;
    if (other) for (const each of [this.renderer, this.overlay]) each?.resize(across, down);
    this.parts.viewport.place(left, top, width, height);
    this.#update();
    // A resized canvas is empty: drawn now, it does not flicker. The first frame follows with all that it shows.
    if (other && this.#drawn) this.draw();
  }

  /** Make the scene of now. */
  #update() {
    // The window has moved to another screen.
    if (this.#ratio !== ratioOf()) return this.#resize();
    const { viewport, look, compare, mode, overlay, guides } = this.parts;
    const panes = viewport.panes();
    const shown = compare.photo.value ? "photo" : "result";
    const { frame } = look.layout.value;
    const { left, right } = this.#span();
    // Read, so that their changes are drawn.
    [overlay.value, guides.value, look.colours.value];
    this.#scene = {
      ratio: ratioOf(),
      panes: panes.map((pane, n) => ({ ...pane, shows: panes.length > 1 && n === 0 ? "photo" : shown })),
      scale: viewport.scale.value,
      x: aligned(viewport.x.value, panes[0].width, viewport.scale.value),
      y: aligned(viewport.y.value, panes[0].height, viewport.scale.value),
      frame,
      ground: look.ground.value,
      shadow: look.shadow.value,
      overlay: mode.value,
      split: compare.mode.value === "split" ? left + ((right - left) * compare.at.value) / 100 : null,
      colours: this.colours,
    };
    this.redraw();
  }

  #span() {
    const { viewport } = this.parts;
    const { bounds, scale, x } = viewport;
    const { width } = viewport.stage;
    const place = (/** @type {number} */ at) => Math.min(width, Math.max(0, width / 2 + (at - x.value) * scale.value));
    const span = { left: place(bounds.x), right: place(bounds.x + bounds.width) };
    const known = this.span.peek();
    if (known.left !== span.left || known.right !== span.right) this.span.value = span;
    return span;
  }
}

/** The nearest middle with which the picture begins at a whole device px: a photo in its own size stays sharp. @param {number} middle @param {number} room @param {number} scale */
function aligned(middle, room, scale) {
  const ratio = ratioOf();
  const start = (room / 2 - middle * scale) * ratio;
  return middle + (start - Math.round(start)) / ratio / scale;
}

function ratioOf() {
  return Math.min(LARGEST_RATIO, devicePixelRatio || 1);
}

/** @param {HTMLElement} element @returns {{stage: Light, checker: [Light, Light]}} */
function coloursOf(element) {
  const [first, second] = element.querySelectorAll("i");
  return { stage: lightOf(element), checker: [lightOf(first), lightOf(second)] };
}

/** An element's background colour. @param {Element} element @returns {Light} */
function lightOf(element) {
  const context = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d", { willReadFrequently: true }));
  context.fillStyle = getComputedStyle(element).backgroundColor;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return [red / 255, green / 255, blue / 255];
}
