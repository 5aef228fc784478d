/**
 * Exports: the exact file comes from the server; without it, the browser makes an approximate one.
 */
import { html } from "../vendor/lit-html/lit-html.js";
import { compose } from "../app/model.js";
import { ApiError } from "../app/api.js";
import { part, whenReachable } from "../app/connection.js";
import { addMessages, speaker, t } from "../app/i18n/index.js";
import { photoOf } from "../app/photos.js";
import * as png8 from "./core/png8.js";
import { en } from "./i18n/export_en.js";
import { icon } from "./icons.js";
import { exportOptions } from "./keep.js";
import { laterIcon } from "./later_icons.js";

addMessages("en", en);

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./exports.js").ExportState} ExportState */

/** @typedef {{again: () => unknown, alone?: boolean, signal?: AbortSignal}} Again what makes it once more, whether it may without the person, and what has stopped it */

/** Browsers make larger pictures unreliably; phones stop at this. */
export const QUICK_PIXELS = 16_000_000;
/** How long a success is shown. */
const DONE_MS = 6000;
const EXTENSIONS = { jpeg: "jpg", png: "png", webp: "webp", avif: "avif" };

export class Exporter {
  /** @type {AbortController | null} */
  #running = null;

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    this.state = session.exports.state;
  }

  /** Whether pictures can be copied here: only pages of a secure origin may. */
  get canCopy() {
    return Boolean(navigator.clipboard?.write) && typeof ClipboardItem === "function";
  }

  /** Whether the browser can make the picture itself. */
  get canQuick() {
    const { width, height } = this.session.look.layout.value;
    return width * height <= QUICK_PIXELS;
  }

  async download() {
    await this.#run(async (signal) => {
      const { blob, name } = await this.#exact(exportOptions(this.session.options.value), signal);
      save(blob, name);
      import("./save.js").then(({ noteExport }) => noteExport(this.session.id)).catch(() => undefined);
      return t("ed_exported", { name, size: speaker().bytes(blob.size) });
    }, { again: () => this.download(), alone: true });
  }

  async copy() {
    await this.#run(async (signal) => {
      const png = this.#exact({ ...exportOptions(this.session.options.value), format: "png" }, signal).then(({ blob }) => blob);
      await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
      return t("ed_copied");
    }, { again: () => this.copy() });
  }

  /** Make a PNG in the browser: colours along soft edges may differ from the server's. */
  async quick() {
    await this.#run(async () => {
      const { name } = this.session;
      save(await this.#picture(), `${stemOf(name)}.png`);
      return t("ed_exported_quick");
    }, { again: () => this.quick() });
  }

  cancel() {
    this.#running?.abort();
  }

  /** @param {(signal: AbortSignal) => Promise<string>} make @param {Again} again */
  async #run(make, again) {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.session.exports.open.value = false;
    this.state.value = { kind: "busy", text: t("ed_exporting") };
    this.session.say(t("ed_exporting"));
    try {
      const text = await make(running.signal);
      const done = { kind: /** @type {const} */ ("done"), text };
      this.state.value = done;
      this.session.say(text);
      setTimeout(() => { if (this.state.peek() === done) this.state.value = { kind: "idle" }; }, DONE_MS);
    } catch (error) {
      await this.fail(error, { ...again, signal: running.signal });
    }
  }

  /** Say that a picture can't be shown. */
  refusePicture() {
    const text = t("ed_picture_failed");
    this.state.value = { kind: "failed", text, solution: "", offersQuick: false };
    this.session.say(text);
  }

  /** Close the menu with Escape, and when the focus goes elsewhere. @param {Event} event */
  leave = (event) => {
    const to = /** @type {FocusEvent} */ (event).relatedTarget ?? document.activeElement;
    const stays = event.type === "focusout" ? !to || /** @type {Element} */ (event.currentTarget).contains(/** @type {Node} */ (to)) : /** @type {KeyboardEvent} */ (event).key !== "Escape";
    if (!stays) this.session.exports.open.value = false;
  };

  menu() {
    return exportMenu(this.session, this);
  }

  notice() {
    return exportNotice(this);
  }

  /** Say what went wrong; what a lost connection has stopped goes on by itself when it is back. @param {unknown} error @param {Again} more */
  async fail(error, { again, alone, signal: stop }) {
    const waits = alone && error instanceof ApiError && error.status === 0;
    const failure = { ...(await failureOf(error, this.canQuick)), again };
    if (stop?.aborted) return;
    if (waits) failure.solution = t("ed_offline_waits");
    this.state.value = failure;
    this.session.say(`${failure.text}. ${failure.solution}`);
    if (waits) whenReachable().then(() => { if (this.state.peek() === failure) again(); });
  }

  /** @param {{[name: string]: string}} options @param {AbortSignal} signal */
  async #exact(options, signal) {
    const { id, document, name, pictureFile } = this.session;
    const [photo, mask] = await Promise.all([photoOf(id), png8.encode(document.mask)]);
    const sent = pictureFile ? { ...options, background_image: pictureFile } : options;
    const { blob, headers } = await compose(photo, name, mask, sent, { signal });
    return { blob, name: nameOf(headers) ?? `${stemOf(name)}.${extensionOf(blob, options)}` };
  }

  async #picture() {
    const { document, look } = this.session;
    const { width, height, frame } = look.layout.value;
    const { CanvasRenderer } = await part(() => import("./gl/canvas2d.js"));
    const canvas = globalThis.document.createElement("canvas");
    const renderer = new CanvasRenderer(canvas, document);
    renderer.resize(width, height);
    const pane = { left: 0, top: 0, width, height, shows: /** @type {const} */ ("result") };
    /** @type {import("./gl/types.js").Light} */
    const black = [0, 0, 0];
    renderer.draw({
      ratio: 1, panes: [pane], scale: width / frame.width, x: frame.x + frame.width / 2, y: frame.y + frame.height / 2,
      frame, ground: look.ground.value, shadow: look.shadow.value, overlay: "none", split: null, colours: { stage: black, checker: [black, black] }, bare: true,
    });
    return /** @type {Promise<Blob>} */ (new Promise((resolve, reject) => {
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png");
    }));
  }
}

/** @param {Session} session @param {Exporter} exporter */
function exportMenu(session, exporter) {
  const format = session.options.value.format || "png";
  const { width, height } = session.look.layout.value;
  return html`<div class="ed-menu">
    <p class="soft small">${t("ed_export_facts", { format: t(`ed_format_${format}`), width: speaker().number(width), height: speaker().number(height) })}</p>
    ${exporter.canCopy ? html`<button type="button" class="button quiet" @click=${() => exporter.copy()}>${laterIcon("copy")}${t("ed_copy")}</button>` : html``}
    ${exporter.canQuick ? html`<button type="button" class="button quiet" @click=${() => exporter.quick()}>${icon("down")}<span>${t("ed_quick")}<small class="soft">${t("ed_quick_note")}</small></span></button>` : html``}
  </div>`;
}

/** What the last export has to say, on the stage. @param {Exporter} exporter */
function exportNotice(exporter) {
  const state = exporter.state.value;
  const dismiss = () => { exporter.state.value = { kind: "idle" }; };
  if (state.kind === "busy") return html`<div class="ed-toast"><span class="ed-spinner"></span>${state.text}<button type="button" class="button quiet" @click=${() => { exporter.cancel(); dismiss(); }}>${t("ed_cancel")}</button></div>`;
  if (state.kind === "done") return html`<div class="ed-toast good">${icon("check")}${state.text}<button type="button" class="icon-button" aria-label=${t("ed_dismiss")} @click=${dismiss}>${laterIcon("close")}</button></div>`;
  if (state.kind !== "failed") return html``;
  return html`<div class="ed-toast bad">${laterIcon("warn")}<div><strong>${state.text}</strong>${state.solution ? html`<p class="small">${state.solution}</p>` : html``}
    <div class="ed-toast-actions">${state.again ? html`<button type="button" class="button" @click=${state.again}>${t("ed_try_again")}</button>` : html``}
    ${state.offersQuick ? html`<button type="button" class="button" @click=${() => exporter.quick()}>${t("ed_quick")}</button>` : html``}</div></div>
    <button type="button" class="icon-button" aria-label=${t("ed_dismiss")} @click=${dismiss}>${laterIcon("close")}</button></div>`;
}

/** @param {unknown} error @param {boolean} canQuick @returns {Promise<Extract<ExportState, {kind: "failed"}>>} */
async function failureOf(error, canQuick) {
  if (!(error instanceof ApiError)) return { kind: "failed", text: t("ed_export_failed"), solution: "", offersQuick: canQuick };
  const offersQuick = canQuick && (error.status === 0 || error.status === 429 || error.status >= 500);
  if (error.status === 0) return { kind: "failed", text: t("ed_offline"), solution: t("ed_offline_solution"), offersQuick };
  if (error.status === 429) {
    const wait = error.retryAfter ? t("ed_wait", { time: speaker().duration(error.retryAfter) }) : "";
    return { kind: "failed", text: t("ed_too_many"), solution: wait, offersQuick };
  }
  const words = await import("../library/failures.js").then(({ errorWords }) => errorWords(error)).catch(() => ({ text: t("ed_export_failed"), solution: "" }));
  return { kind: "failed", ...words, offersQuick };
}

/** @param {Headers} headers */
function nameOf(headers) {
  const said = headers.get("Content-Disposition") ?? "";
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(said)?.[1];
  return encoded ? decodeURIComponent(encoded) : /filename="?([^";]+)"?/i.exec(said)?.[1];
}

/** @param {Blob} blob @param {{[name: string]: string}} options */
function extensionOf(blob, options) {
  const kind = blob.type.split("/")[1] || options.format || "png";
  return /** @type {{[name: string]: string}} */ (EXTENSIONS)[kind] ?? kind;
}

/** @param {string} name */
function stemOf(name) {
  return name.replace(/\.[^.]+$/, "") || "photo";
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has begun by then; the picture's memory is free again.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
