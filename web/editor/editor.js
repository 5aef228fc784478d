/**
 * The editor: a full window around one photo. Loaded when it is opened, with its own style.
 */
import { html, render } from "../vendor/lit-html/lit-html.js";
import { effect, signal } from "../vendor/signals/signals-core.js";
import { say } from "../app/announce.js";
import { ApiError, studioFacts } from "../app/api.js";
import { addMessages, t } from "../app/i18n/index.js";
import { go } from "../app/router.js";
import { docOf, photoOf } from "../app/store.js";
import { errorSolution, errorTitle } from "../library/failures.js";
import { openDocument } from "./document.js";
import { Filmstrip } from "./filmstrip.js";
import { de } from "./i18n/de.js";
import { en } from "./i18n/en.js";
import { icon } from "./icons.js";
import { Session } from "./session.js";
import { attachViews, skeleton } from "./views.js";

addMessages("en", en);
addMessages("de", de);

/** What is on the stage. */
export const shown = signal(/** @type {Session | null} */ (null));

const STYLE = new URL("./editor.css", import.meta.url).href;

/**
 * Open the editor of a document.
 * @param {HTMLElement} root @param {string} id @returns {{close(): void}}
 */
export function openEditor(root, id) {
  const opening = new Opening(root, id);
  opening.start();
  return { close: () => opening.close() };
}

/** Opens a document: says what is going on until its stage is there, and what went wrong if it does not get there. */
class Opening {
  /** @type {(() => void)[]} */
  #stops = [];
  #closed = false;
  #preview = signal("");
  #error = signal(/** @type {{text: string, solution: string} | null} */ (null));

  /** @param {HTMLElement} root @param {string} id */
  constructor(root, id) {
    this.root = root;
    this.id = id;
    this.film = new Filmstrip(id);
  }

  async start() {
    await loadStyle();
    if (this.#closed) return;
    const stopWaiting = effect(() => { render(this.#waiting(), this.root); });
    this.#stops.push(stopWaiting);
    this.#showPhoto();
    try {
      const [document, facts] = await Promise.all([openDocument(this.id), studioFacts().catch(() => null)]);
      if (this.#closed) return document.close();
      stopWaiting();
      this.#show(document, facts);
    } catch (error) {
      const known = error instanceof ApiError;
      this.#error.value = known ? { text: errorTitle(error), solution: errorSolution(error) } : { text: t("ed_open_failed"), solution: "" };
      say(this.#error.value.text);
    }
  }

  async #showPhoto() {
    const photo = await photoOf(this.id).catch(() => null);
    if (photo && !this.#closed) this.#preview.value = URL.createObjectURL(photo);
  }

  /** @param {any} document @param {import("../app/api.js").StudioFacts | null} facts */
  #show(document, facts) {
    render(skeleton(), this.root);
    const session = new Session(this.id, document, facts, this.film);
    const views = attachViews(this.root, session);
    shown.value = session;
    this.#stops.push(() => document.close(), () => session.close(), views.close, () => { shown.value = null; });
  }

  #waiting() {
    const error = this.#error.value;
    const name = docOf(this.id)?.name ?? "";
    return html`<section class="editor" role="region" aria-label=${t("ed_editor")} aria-busy=${String(!error)}>
      <div class="ed-top"><button type="button" class="button quiet" @click=${back}>${icon("back")}<span>${t("ed_back")}</span></button><h1>${name}</h1></div>
      <div class="ed-waiting">
        ${this.#preview.value ? html`<img alt="" src=${this.#preview.value}>` : html``}
        ${error ? html`<div class="ed-failed panel">${icon("warn")}<h2>${error.text}</h2><p class="soft">${error.solution}</p>
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
    URL.revokeObjectURL(this.#preview.peek());
    this.#preview.value = "";
    this.film.close();
    render(html``, this.root);
  }
}

function back() {
  go({ name: "library" });
}

/** Load the editor's style once. */
function loadStyle() {
  const known = document.querySelector(`link[href="${STYLE}"]`);
  if (known) return undefined;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = STYLE;
  return new Promise((resolve) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", resolve);
    document.head.append(link);
  });
}
