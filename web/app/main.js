// The page's entry: language, documents of earlier visits, the view that the address names.
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { effect } from "../vendor/signals/signals-core.js";
import { EDITOR, prepare, prepareEditing, startDrops } from "../library/drop.js";
import { icon } from "../library/icons.js";
import { openLibrary } from "../library/library.js";
import { notify, offer, said, say, shown } from "./announce.js";
import { knownFacts, onKeyNeeded, reachable } from "./api.js";
import { isOffline, loadedLater, part, reconnecting, startConnection, whenReachable } from "./connection.js";
import { trouble } from "./db.js";
import { header, startScheme } from "./header.js";
import { startLanguage, t } from "./i18n/index.js";
import { go, route, startRouter } from "./router.js";
import { docs, flush, order, restore } from "./store.js";
import { startTabs } from "./tabs.js";

// After the first view, before a person has found a photo.
const PREPARE_MS = 1000;
const page = /** @type {HTMLElement} */ (document.getElementById("page"));
/** @type {{close(): void}|undefined} */
let view;

/** What says that the browser keeps nothing. */
const storageBanner = loadedLater(async () => (await import("./storage.js")).storageBanner);

function shell() {
  return html`
    <a class="skip" href="#view" @click=${skip}>${t("skip_photos")}</a>
    ${header()}
    <div class="banners">${connectionBanner()}${trouble.value && order.value.length ? storageBanner() : nothing}${offer.value()}${notice()}</div>
    <main class="main" id="view" tabindex="-1"></main>
    <p class="hidden-text" role="status" aria-live="polite">${said.value}</p>`;
}

function connectionBanner() {
  if (reachable.value && !reconnecting.value) return nothing;
  return html`<aside class="notice warn banner" aria-label=${t("connection")}>${icon("alert")}<span><strong>${t("reconnecting")}</strong> ${t("reconnecting_text")}</span></aside>`;
}

function notice() {
  if (!shown.value) return nothing;
  return html`<aside class="notice banner" aria-label=${t("notice")}><span>${shown.value}</span><button type="button" class="button" @click=${() => { shown.value = ""; }}>${t("got_it")}</button></aside>`;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  (document.getElementById("photos") ?? document.getElementById("view"))?.focus();
}

let showing = 0;

/** @param {import("./router.js").Route} to */
async function show(to) {
  showing += 1;
  const mine = showing;
  const root = /** @type {HTMLElement} */ (document.getElementById("view"));
  view?.close();
  view = undefined;
  document.documentElement.dataset.view = to.name;
  if (to.name === "library") {
    view = openLibrary(root);
    return;
  }
  await restored;
  if (!order.peek().includes(to.id)) { go({ name: "library" }); return; }
  try {
    const { openEditor, prepareEditor } = await import(EDITOR);
    await prepareEditor().shows;
    if (mine === showing) view = openEditor(root, to.id);
  } catch (error) {
    const offline = await isOffline(error);
    if (mine !== showing) return;
    if (offline) {
      view = waiting(root);
      whenReachable().then(() => { if (mine === showing) show(to); });
      return;
    }
    // Its files are of another build: the page is older than the server.
    notify(t("reload_page"));
    go({ name: "library" });
  }
}

/** In place of an editor that is not loaded: why, and that it opens by itself. @param {HTMLElement} root */
function waiting(root) {
  say(t("offline_open"));
  render(html`<section class="panel offline"><h1>${t("offline_open")}</h1><p class="soft">${t("offline_open_text")}</p><a class="button" href="#/">${t("your_photos")}</a></section>`, root);
  return { close: () => render(nothing, root) };
}

const restored = restore();

async function start() {
  startScheme();
  await startLanguage();
  effect(() => { document.title = t("title"); render(shell(), page); });
  startTabs();
  startRouter();
  startDrops();
  startConnection();
  onKeyNeeded(async (refused) => (await part(() => import("../library/keys.js"))).askForKey(refused));
  effect(() => { const to = route.value; queueMicrotask(() => show(to)); });
  addEventListener("visibilitychange", () => { if (document.hidden) flush(); });
  addEventListener("pagehide", flush);
  const known = knownFacts();
  await restored;
  if (docs.size) (await part(() => import("../library/recover.js"))).start();
  else known.then(() => setTimeout(() => { prepare(); if (!docs.size) prepareEditing(); }, PREPARE_MS));
}

start();
