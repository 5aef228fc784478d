// The library: where photos come in, and, once there are some, the view of all of them.
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { computed, effect } from "../vendor/signals/signals-core.js";
import { facts } from "../app/api.js";
import { part } from "../app/connection.js";
import { speaker, t } from "../app/i18n/index.js";
import { order } from "../app/store.js";
import { expectPhoto, take } from "./drop.js";
import { icon } from "./icons.js";

const EXAMPLES = ["cat", "portrait", "coffee"];
const ACCEPTED = "image/*,.heic,.heif,.avif,.zip,application/zip";
const empty = computed(() => order.value.length === 0);

/** @param {HTMLElement} root @returns {{close(): void}} */
export function openLibrary(root) {
  /** @type {{close(): void}|undefined} */
  let batch;
  let closed = false;
  const stop = effect(() => {
    if (!empty.value) { openLoaded(); return undefined; }
    batch?.close();
    batch = undefined;
    return effect(() => { render(hero(), root); });
  });
  async function openLoaded() {
    const { openBatch } = await part(() => import("./batch.js"));
    // Not in the task that has taken in hundreds of photos.
    await new Promise((done) => setTimeout(done));
    if (closed || batch || empty.peek()) return;
    render(nothing, root);
    batch = openBatch(root);
  }
  return { close() { closed = true; stop(); batch?.close(); render(nothing, root); } };
}

/** @param {Event & {currentTarget: any}} event */
function picked({ currentTarget: input }) {
  take([...input.files]);
  // The same file may be chosen again.
  input.value = "";
}

/** @param {string} look */
export function choosePhotos(look) {
  return html`<label class="button file ${look}">${icon("photo")}<span>${t("choose_photos")}</span><input type="file" multiple accept=${ACCEPTED} @click=${expectPhoto} @change=${picked}></label>`;
}

/** @param {string} look */
export function chooseFolder(look) {
  return html`<label class="button file ${look}">${icon("folder")}<span>${t("choose_folder")}</span><input type="file" multiple webkitdirectory @change=${picked}></label>`;
}

/** The first view: what the page does, one place to drop a photo, three photos to try it with. */
function hero() {
  return html`<section class="hero">
    <h1>${t("headline")}</h1>
    <p class="lead">${t("lead")}</p>
    <div class="drop-area">
      <div class="drop-mark" aria-hidden="true">${mark()}</div>
      ${choosePhotos("primary large")}
      <p class="soft"><span class="by-mouse">${t("or_drop")} </span>${chooseFolder("link")}</p>
    </div>
    <p class="soft small limits">${limits()}</p>
    <div class="examples">
      <p class="soft">${t("try_one")}</p>
      <ul>${EXAMPLES.map((name) => html`<li><button type="button" aria-label=${t(`example_${name}`)} @click=${() => tryExample(name)}>
        <img src=${exampleUrl(name)} alt="" width="96" height="96"></button></li>`)}</ul>
    </div>
  </section>`;
}

function limits() {
  const known = facts.value;
  if (!known) return nothing;
  const say = speaker();
  return t("limits", { bytes: say.bytes(known.limits.bytes), pixels: say.pixels(known.limits.pixels) });
}

/** @param {string} name */
function exampleUrl(name) {
  return new URL(`../examples/${name}.jpg`, import.meta.url).pathname;
}

/** @param {string} name */
async function tryExample(name) {
  expectPhoto();
  const blob = await (await fetch(exampleUrl(name))).blob();
  await take([new File([blob], `${name}.jpg`, { type: "image/jpeg", lastModified: 0 })]);
}

/** A picture half cut out. */
function mark() {
  return html`<svg viewBox="0 0 120 88"><defs><pattern id="checks" width="12" height="12" patternUnits="userSpaceOnUse"><rect width="12" height="12" class="a"/><path d="M0 0h6v6H0z M6 6h6v6H6z" class="b"/></pattern>
    <clipPath id="frame"><rect x="2" y="2" width="116" height="84" rx="14"/></clipPath></defs>
    <g clip-path="url(#frame)"><rect width="60" height="88" class="sky"/><path d="M0 64q30-18 60-6v30H0z" class="hill"/><rect x="60" width="60" height="88" fill="url(#checks)"/>
    <circle cx="60" cy="38" r="15" class="body"/><path d="M30 88q2-32 30-32t30 32z" class="body"/></g>
    <path d="M60 0v88" class="cut"/><circle cx="60" cy="44" r="9" class="knob"/><path d="M57 41l-3 3 3 3 M63 41l3 3-3 3" class="arrows"/></svg>`;
}
