/**
 * The editor: a full window around one photo. What shows the photo is loaded with this file; tools and panels follow.
 */
import { html, render } from "../vendor/lit-html/lit-html.js";
import { effect, signal } from "../vendor/signals/signals-core.js";
import { say } from "../app/announce.js";
import { ApiError, studioFacts } from "../app/api.js";
import { isOffline, whenReachable } from "../app/connection.js";
import { addMessages, language, t } from "../app/i18n/index.js";
import { go } from "../app/router.js";
import { photoOf } from "../app/photos.js";
import { peek } from "../app/store.js";
import { saver } from "./autosave.js";
import { isPhone, openDocument } from "./document.js";
import { idleTime, loadComposing } from "./look.js";
import { startGL } from "./gl/renderer.js";
import { smallPhoto } from "./gl/textures.js";
import { Picture } from "./picture.js";

/** What is on the stage. */
export const shown = signal(/** @type {import("./session.js").Session | null} */ (null));

const STYLE = new URL("./editor.css", import.meta.url).href;

/** Load what shows a photo, and what acts on it: before there is one, where it is expected. */
export function prepareEditor() {
  const rest = Promise.all([import("./session.js"), import("./views.js"), import("./overlay.js")]);
  // The caller that awaits it reports the error.
  rest.then(loadLater).catch(() => undefined);
  return { shows: Promise.all([loadStyle(), loadTexts(language.value)]), rest };
}

/** What follows the brush. */
const LATER = [
  saver, loadComposing, () => import("./core/inflate.js"), () => import("./shapes.js"),
  () => import("./notices.js"), () => import("./filmstrip.js"), () => import("./keys.js"), () => import("./panels.js"), () => import("./export.js"), () => import("./keep.js"),
  () => import("./tools/smart.js"), () => import("./tools/wand.js"), () => import("./tools/outline.js"),
  () => import("./tools/object.js"), () => import("./gl/shadow.js"), () => import("./gl/blurred.js"), () => import("./gl/canvas2d.js"),
];

/** Load it while nothing else happens, one after another, so that it is there when the server is not. */
async function loadLater() {
  for (const load of LATER) {
    await idleTime();
    await load();
  }
}

/** Open the editor of a document. @param {HTMLElement} root @param {string} id @returns {{close(): void}} */
export function openEditor(root, id) {
  const opening = new Opening(root, id);
  opening.start();
  return { close: () => opening.close() };
}

/** Opens a document: says what is going on until its stage is there, and what went wrong if it does not get there. */
class Opening {
  /** @type {(() => unknown)[]} */
  #stops = [];
  #closed = false;
  /** The photo, small. */
  #preview = signal(/** @type {unknown} */ (null));
  /** What draws, with the photo, before there is a mask. @type {import("./gl/renderer.js").GLRenderer | undefined} */
  #warm;
  #error = signal(/** @type {{text: string, solution: string} | null} */ (null));

  /** @param {HTMLElement} root @param {string} id */
  constructor(root, id) {
    this.root = root;
    this.id = id;
  }

  async start() {
    const { shows, rest } = prepareEditor();
    await shows;
    if (this.#closed) return;
    const stopWaiting = effect(() => { render(this.#waiting(), this.root); });
    this.#stops.push(stopWaiting);
    if (isPhone()) this.#showPhoto();
    try {
      const document = await openDocument(this.id, (photo) => this.#prepare(photo));
      if (this.#closed) return void document.close();
      this.#stops.push(() => document.close());
      const renderer = this.#takeWarm(document) ?? startGL(document.photo, document.mask) ?? (await flatRenderer(document));
      if (this.#closed) return renderer.close();
      stopWaiting();
      await this.#show(document, renderer, rest);
    } catch (error) {
      await this.#explain(error);
    }
  }

  /** Say what went wrong; without a connection the photo opens by itself when there is one. @param {unknown} error */
  async #explain(error) {
    const offline = await isOffline(error);
    const known = error instanceof ApiError;
    const words = known && !offline ? await import("../library/failures.js").then(({ errorWords }) => errorWords(error)).catch(() => undefined) : undefined;
    if (this.#closed) return;
    if (offline) this.#error.value = { text: t("offline_open"), solution: t("offline_open_text") };
    else this.#error.value = words ?? { text: t("ed_open_failed"), solution: "" };
    // In place of a stage whose tools could not be loaded.
    render(this.#waiting(), this.root);
    say(this.#error.value.text);
    if (offline) whenReachable().then(() => { if (!this.#closed && this.#error.peek()) this.#again(); });
    else if (!known) throw error;
  }

  /** Show the photo, and have it on the graphics card, while the model works. @param {ImageBitmap} photo */
  #prepare(photo) {
    if (this.#closed || this.#warm) return;
    const small = smallPhoto(photo, photo);
    small.style.width = `${photo.width}px`;
    this.#preview.value = small;
    this.#warm = startGL(photo, photo);
    this.#warm?.warm(small);
  }

  /** The renderer that has this photo, if there is one. @param {import("./document.js").EditorDocument} shown */
  #takeWarm({ photo, width, height }) {
    const warm = this.#warm;
    this.#warm = undefined;
    if (warm && warm.source.photo === photo && photo.width === width && photo.height === height) return warm;
    warm?.close();
    return undefined;
  }

  /** Show the photo of a phone, which decodes it for the stage when it knows the size. */
  async #showPhoto() {
    const photo = await photoOf(this.id).catch(() => null);
    if (!photo || this.#closed) return;
    const url = URL.createObjectURL(photo);
    this.#stops.push(() => URL.revokeObjectURL(url));
    this.#preview.value = html`<img alt="" src=${url}>`;
  }

  /**
   * Show the picture, then what acts on it.
   * @param {import("./document.js").EditorDocument} document @param {import("./gl/types.js").Renderer} renderer
   * @param {ReturnType<typeof prepareEditor>["rest"]} rest
   */
  async #show(document, renderer, rest) {
    render(frame(), this.root);
    const picture = new Picture(document, !document.history.depth && !peek(this.id)?.edit);
    const stage = picture.show(/** @type {HTMLElement} */ (this.root.querySelector(".ed-stage")), renderer);
    this.#stops.push(() => picture.close(), () => stage.close());
    const [[{ Session }, { attachViews }], facts] = await Promise.all([rest, studioFacts().catch(() => null)]);
    if (this.#closed) return;
    const session = new Session(this.id, picture, stage, facts);
    const views = attachViews(this.root, session);
    shown.value = session;
    this.#stops.push(() => session.close(), views.close, () => { shown.value = null; });
  }

  #waiting() {
    const error = this.#error.value;
    return html`<section class="editor" role="region" aria-label=${t("ed_editor")} aria-busy=${String(!error)}>
      <div class="ed-top"><button type="button" class="button quiet" @click=${back}>${t("ed_back")}</button><h1>${peek(this.id)?.name ?? ""}</h1></div>
      <div class="ed-waiting">
        ${this.#preview.value}
        ${error ? html`<div class="ed-failed panel"><h2>${error.text}</h2><p class="soft">${error.solution}</p>
          <div class="ed-pending"><button type="button" class="button primary" @click=${() => this.#again()}>${t("ed_try_again")}</button>
          <button type="button" class="button" @click=${back}>${t("ed_back")}</button></div></div>`
          : html`<p class="ed-working"><span class="ed-spinner"></span>${t("ed_opening")}</p>`}
      </div>
    </section>`;
  }

  #again() {
    this.#error.value = null;
    this.close();
    this.#closed = false;
    this.start();
  }

  close() {
    this.#closed = true;
    for (const stop of this.#stops.splice(0).reverse()) stop();
    this.#warm?.close();
    this.#warm = undefined;
    this.#preview.value = null;
    render(html``, this.root);
  }
}

/** What draws without WebGL. @param {import("./document.js").EditorDocument} shown */
async function flatRenderer(shown) {
  const { CanvasRenderer } = await import("./gl/canvas2d.js");
  return new CanvasRenderer(document.createElement("canvas"), shown);
}

/** The editor before it is filled. */
function frame() {
  return html`<section class="editor" role="region" aria-label=${t("ed_editor")}>
    <div class="ed-top" data-part="top"></div>
    <div class="ed-body">
      <div class="ed-stage-area">
        <div class="ed-stage" role="application" aria-label=${t("ed_stage")} aria-describedby="ed-help" tabindex="0">
          <canvas class="ed-overlay"></canvas><i></i><i></i>
        </div>
        <p class="hidden-text" id="ed-help">${t("ed_stage_help")}</p>
        <div data-part="split"></div>
        <div class="ed-hud" data-part="hud"></div>
        <div class="ed-notices" data-part="notice"></div>
      </div>
      <div class="ed-tools" data-part="tools"></div>
      <div class="ed-panel" data-part="panel"></div>
    </div>
    <div class="ed-strip" data-part="strip"></div>
  </section>`;
}

function back() {
  go({ name: "library" });
}

/** Load the texts of a language; English is there for what another one lacks. @param {string} name */
async function loadTexts(name) {
  addMessages("en", (await import("./i18n/en.js")).en);
  if (name !== "de") return;
  for (const { de } of await Promise.all([import("./i18n/de.js"), import("./i18n/tools_de.js")])) addMessages("de", de);
}

/** Load the editor's style once. */
function loadStyle() {
  if (document.querySelector(`link[href="${STYLE}"]`)) return undefined;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = STYLE;
  return new Promise((resolve, reject) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => {
      link.remove();
      reject(new Error("no style"));
    });
    document.head.append(link);
  });
}
