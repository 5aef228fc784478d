// Looks for all photos or the selected ones, and what to do with the results.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { computed, signal } from "../vendor/signals/signals-core.js";
import { facts, optionsOf } from "../app/api.js";
import { loadedLater, part } from "../app/connection.js";
import { has, t } from "../app/i18n/index.js";
import { changes, order } from "../app/store.js";
import { defaults, setDefaults } from "./actions.js";
import { icon } from "./icons.js";
import { done, selected, selectNone, targets } from "./overview.js";

/** @typedef {import("../app/store.js").Options} Options */

const GROUNDS = ["", "ffffff", "f1f1ef", "000000"];
const FORMATS = ["png", "webp", "jpeg"];
/** Colours that presets name. */
export const NAMED = /** @type {{[name: string]: string}} */ ({ white: "ffffff", black: "000000" });

const presetNote = loadedLater(async () => (await import("./preset_note.js")).presetNote);
/** What the panel shows, until it is applied. */
const draft = signal(/** @type {Options|undefined} */ (undefined));
/** How many of how many are packed; undefined while nothing is. */
export const packing = signal(/** @type {{done: number, of: number}|undefined} */ (undefined));
/** Whether the looks are open where they have no column of their own. */
const open = signal(false);
const shownOptions = computed(() => draft.value ?? defaults.value);

/** @param {Options} options */
function chosen(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== ""));
}

/** The options with those that the preset stands for. @param {Options} options @returns {Options} */
function effective(options) {
  const preset = facts.value?.presets[options.preset ?? ""];
  const all = { ...(preset && optionsOf(preset)), ...chosen(options) };
  return { ...all, background: (NAMED[all.background] ?? all.background ?? "").replace("#", "") };
}

/** @param {Options} change */
function change(change) {
  draft.value = { ...shownOptions.peek(), ...change };
}

async function apply() {
  const options = shownOptions.peek();
  const ids = targets.peek();
  setDefaults(chosen(options));
  draft.value = undefined;
  open.value = false;
  (await part(() => import("./results.js"))).applyOptions([...ids], options);
}

export function bulkPanel() {
  changes.value;
  const some = selected.value.size;
  const options = shownOptions.value;
  const looks = effective(options);
  queueMicrotask(() => check(looks));
  return html`<aside class="bulk" aria-label=${t("looks")}>
    <div class="looks panel" id="looks" ?data-open=${open.value} @keydown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") open.value = false; }}>
    <header><h2>${some ? t("for_selected", { count: some }) : t("for_all", { count: order.value.length })}</h2>
      ${some ? html`<button type="button" class="button quiet" @click=${selectNone}>${t("select_none")}</button>` : nothing}
      <button type="button" class="icon-button looks-close" aria-label=${t("close")} @click=${() => { open.value = false; }}>${icon("close")}</button></header>
    ${presetField(options)}
    <fieldset class="grounds"><legend class="soft small">${t("background")}</legend>${GROUNDS.map((colour) => swatch(looks, colour))}${pickSwatch(looks)}</fieldset>
    <div class="field"><span id="format-label">${t("format")}</span>
      <div class="segmented" role="group" aria-labelledby="format-label">${FORMATS.map((format) => html`<button type="button"
        aria-pressed=${String((looks.format || "png") === format)} @click=${() => change({ format })}>${t(`format_${format}`)}</button>`)}</div></div>
    <button type="button" class="button" ?disabled=${!draft.value} @click=${apply}>${some ? t("apply_selected") : t("apply_all")}</button>
    </div>
    ${results()}
    ${kept()}
  </aside>`;
}

/** @param {Options} options */
function presetField({ preset = "" }) {
  const known = facts.value?.presets ?? {};
  return html`<label class="field"><span>${t("preset")}</span>
    <select .value=${preset} @change=${(/** @type {any} */ event) => change({ preset: event.target.value, background: "", format: "" })}>
      <option value="" ?selected=${!preset}>${t("preset_none")}</option>
      ${marketplacesFirst(known).map(([name, one]) => html`<option value=${name} ?selected=${preset === name}>${presetTitle(name, one)}</option>`)}
    </select>
    </label>
    ${known[preset] ? presetNote(known[preset]) : nothing}`;
}

/** @param {{[name: string]: import("../app/api.js").Preset}} presets */
function marketplacesFirst(presets) {
  return Object.entries(presets).sort(([, one], [, other]) => Number(!one.source) - Number(!other.source));
}

/** @param {string} name @param {import("../app/api.js").Preset} preset */
function presetTitle(name, preset) {
  if (has(`preset_${name}`)) return t(`preset_${name}`);
  return preset.title ?? name;
}

/** @param {Options} options @param {string} colour */
function swatch({ background = "" }, colour) {
  const name = t(`ground_${colour || "none"}`);
  return html`<label class="swatch ${colour ? `c-${colour}` : "checker"}" title=${name}><input type="radio" name="ground" aria-label=${name} value=${colour} @click=${() => change({ background: colour })}></label>`;
}

/** Check the ground that is shown: a person may have chosen one that a preset does not take. @param {Options} looks */
function check({ background }) {
  for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll(".grounds [type=radio]"))) input.checked = input.value === background;
}

/** @param {Options} options */
function pickSwatch({ background = "" }) {
  const own = background !== "" && !GROUNDS.includes(background);
  return html`<label class="swatch pick-colour ${own ? "own" : ""}" title=${t("ground_pick")}><input type="color" aria-label=${t("ground_pick")} .value=${own ? `#${background}` : "#c9d8f0"}
    @input=${(/** @type {any} */ event) => change({ background: event.target.value.slice(1) })}></label>`;
}

function results() {
  const count = done().length;
  const some = selected.value.size;
  const metadata = t(some ? "metadata_some" : "download_metadata", { count: some });
  const remove = t(some ? "remove_some" : "delete_now", { count: some });
  const busy = packing.value;
  return html`<div class="results panel">
    <button type="button" class="button primary" ?disabled=${!count || busy !== undefined} @click=${saveAll}>${icon("download")}${some ? t("download_some", { count }) : t("download_all")}</button>
    ${busy ? html`<p class="soft small">${t("packing", busy)}</p>` : nothing}
    <button type="button" class="icon-button looks-toggle" aria-label=${t("looks")} title=${t("looks")} aria-expanded=${String(open.value)} aria-controls="looks" @click=${() => { open.value = !open.value; }}>${icon("looks")}</button>
    <button type="button" class="button quiet" title=${metadata} @click=${saveMetadata}>${icon("list")}<span>${metadata}</span></button>
    <button type="button" class="button quiet danger" title=${remove} @click=${removeThem}>${icon("remove")}<span>${remove}</span></button>
  </div>`;
}

async function saveAll() {
  (await part(() => import("./download.js"))).saveAll();
}

async function saveMetadata() {
  (await part(() => import("./download.js"))).downloadMetadata();
}

function kept() {
  const known = facts.value;
  return html`<p class="kept soft small">${known?.jobs ? t("kept", { hours: Math.round(known.result_ttl_seconds / 3600) }) : t("kept_here")}</p>`;
}

/** The selected photos can be brought back; everything is deleted after a question. */
async function removeThem() {
  if (selected.peek().size) (await part(() => import("./removal.js"))).removePhotos([...targets.peek()]);
  else (await part(() => import("./delete.js"))).confirmDelete();
}
