// The page's entry: language, documents of earlier visits, the view that the address names.
import { html, render } from "../vendor/lit-html/lit-html.js";
import { effect } from "../vendor/signals/signals-core.js";
import { openLibrary } from "../library/library.js";
import { said } from "./announce.js";
import { applyLanguage, language, t } from "./i18n/index.js";
import { route, startRouter } from "./router.js";
import { restore } from "./store.js";
import { header, startScheme } from "./header.js";

const page = /** @type {HTMLElement} */ (document.getElementById("page"));
// Loaded when it is opened.
const EDITOR = "../editor/editor.js";
/** @type {{close(): void}|undefined} */
let view;

function shell() {
  return html`
    <a class="skip" href="#photos" @click=${skip}>${t("skip_photos")}</a>
    ${header()}
    <main class="main" id="view" tabindex="-1"></main>
    <p class="hidden-text" role="status" aria-live="polite">${said.value}</p>`;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  (document.getElementById("photos") ?? document.getElementById("view"))?.focus();
}

async function show() {
  const root = /** @type {HTMLElement} */ (document.getElementById("view"));
  const to = route.value;
  view?.close();
  document.documentElement.dataset.view = to.name;
  if (to.name === "library") {
    view = openLibrary(root);
  } else {
    const { openEditor } = await import(EDITOR);
    view = openEditor(root, to.id);
  }
}

startScheme();
applyLanguage();
startRouter();
effect(() => { document.title = t("title"); language.value; render(shell(), page); });
effect(() => { route.value; show(); });
restore();
