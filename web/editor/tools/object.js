/** Objects by clicks: the model `sam` finds what the points and the box mark. */
import { matte } from "../../app/model.js";
import { ApiError } from "../../app/api.js";
import { whenReachable } from "../../app/connection.js";
import { addMessages, t } from "../../app/i18n/index.js";
import { signal } from "../../vendor/signals/signals-core.js";
import { errorText } from "../../library/failures.js";
import { decode } from "../core/png8.js";
import { rectangle } from "../core/polygon.js";
import { en } from "../i18n/notices_en.js";
import { Selection } from "./selection.js";

addMessages("en", en);

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./context.js").Place} Place */

/** The model's own frame: a larger copy is of no use to it. */
const FRAME = 1024;
const STILL = 4;

export class ObjectTool extends Selection {
  /** @override */
  name = "object";
  /** @type {{type: "point", data: [number, number], label: 0 | 1}[]} */
  #points = [];
  /** @type {[number, number, number, number] | null} */
  #box = null;
  /** @type {Place | null} */
  #first = null;
  /** @type {Promise<Blob> | null} */
  #copy = null;
  /** @type {AbortController | null} */
  #asking = null;

  /** @param {Context} context @param {string} model */
  constructor(context, model) {
    super(context);
    this.model = model;
    const { width, height } = context.document;
    this.scale = Math.min(1, FRAME / Math.max(width, height));
  }

  /** @param {Place} place */
  begin(place) {
    this.#first = place;
  }

  /** @param {Place[]} places */
  move(places) {
    const { x, y } = /** @type {Place} */ (places.at(-1));
    if (this.#first) this.context.show({ path: rectangle([this.#first.x, this.#first.y], [x, y]), closed: true, handles: false });
  }

  /** @param {Place} place */
  end(place) {
    const first = this.#first;
    this.#first = null;
    if (!first) return;
    const [x, y] = this.#inside(place);
    const [ax, ay] = this.#inside(first);
    if (Math.hypot(x - ax, y - ay) < this.context.onScreen(STILL)) this.#points.push({ type: "point", data: [ax, ay], label: this.#takesIn(first) ? 1 : 0 });
    else this.#box = [Math.min(x, ax), Math.min(y, ay), Math.max(x, ax), Math.max(y, ay)];
    this.#showMarks();
    this.pending.value = true;
    this.asked = this.#ask();
  }

  /** @type {Promise<void>} */
  asked = Promise.resolve();
  /** What a click does: "add" or "leave" out. */
  mark = signal("add");
  /** Whether the model works on it. */
  busy = signal(false);
  /** Why nothing was found; "" otherwise. */
  trouble = signal("");

  cancel() {
    this.#first = null;
    this.#showMarks();
  }

  /** Whether a mark belongs to the object: the right button reverses the choice, a pen's other end leaves out. @param {Place} place */
  #takesIn({ opposite, eraser }) {
    return !eraser && (this.mark.value === "add") !== Boolean(opposite);
  }

  /** Take the last mark back. */
  back() {
    if (!this.#points.pop()) this.#box = null;
    if (!this.marked) return this.discard();
    this.#showMarks();
    this.asked = this.#ask();
  }

  /** @override */
  discard() {
    this.#asking?.abort();
    this.#points = [];
    this.#box = null;
    this.busy.value = false;
    this.trouble.value = "";
    // The next object begins with what belongs to it.
    this.mark.value = "add";
    super.discard();
  }

  /** @param {import("./context.js").Mode} [mode] @override */
  async apply(mode) {
    await this.asked;
    await super.apply(mode);
  }

  get marked() {
    return this.#points.length > 0 || this.#box !== null;
  }

  /** Ask once more with the same marks. */
  again() {
    this.asked = this.#ask();
  }

  async #ask() {
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    const { document } = this.context;
    this.busy.value = true;
    this.trouble.value = "";
    try {
      this.#copy ??= this.#small();
      const marks = [...this.#points, ...(this.#box ? [{ type: "rectangle", data: this.#box }] : [])];
      const prompt = JSON.stringify(marks.map((mark) => ({ ...mark, data: mark.data.map((px) => Math.round(px * this.scale * 10) / 10) })));
      const found = await matte(await this.#copy, "copy.jpg", { model: this.model, prompt, signal: asking.signal });
      await this.context.ready;
      const region = await document.work.run("enlarge", await decode(found.matte));
      if (asking.signal.aborted) return;
      this.busy.value = false;
      if (region?.bytes.some((level) => level > 0)) return this.select(region);
      this.discard();
      this.#explain(t("tool_object_nothing"));
    } catch (error) {
      if (asking.signal.aborted) return;
      const text = t("tool_object_failed", { reason: await errorText(error) });
      if (asking.signal.aborted) return;
      this.busy.value = false;
      this.#explain(text);
      if (error instanceof ApiError && error.status === 0) whenReachable().then(() => { if (!asking.signal.aborted && this.#asking === asking) this.asked = this.#ask(); });
    }
  }

  /** @param {string} text */
  #explain(text) {
    this.trouble.value = text;
    this.context.say(text);
  }

  /** @returns {Promise<Blob>} */
  async #small() {
    const { photo, width, height } = this.context.document;
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * this.scale));
    canvas.height = Math.max(1, Math.round(height * this.scale));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.imageSmoothingQuality = "high";
    context.drawImage(photo, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no copy"))), "image/jpeg", 0.9));
  }

  #showMarks() {
    const path = this.#box ? rectangle([this.#box[0], this.#box[1]], [this.#box[2], this.#box[3]]) : undefined;
    const marks = this.#points.map(({ data, label }) => ({ x: data[0], y: data[1], adds: label === 1 }));
    this.context.show({ path, closed: true, handles: false, marks: marks.length ? marks : undefined });
  }

  /** @param {Place} place @returns {[number, number]} */
  #inside({ x, y }) {
    const { width, height } = this.context.document;
    return [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))];
  }
}
