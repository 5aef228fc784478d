// Looks for all photos or the selected ones, and what to do with the results.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { live } from "../app/live.js";
import { computed, signal } from "../vendor/signals/signals-core.js";
import { notify } from "../app/announce.js";
import { facts, optionsOf } from "../app/facts.js";
import { has, t } from "../app/i18n/index.js";
import { changes, order } from "../app/store.js";
import { defaults, setDefaults } from "./defaults.js";
import { errorText } from "./failures.js";
import { icon } from "./icons.js";
import { done, selected, selectNone, targets } from "./selection.js";

/** @typedef {import("../app/store.js").Options} Options */

const GROUNDS = ["", "ffffff", "f1f1ef", "000000"];
const FORMATS = ["png", "webp", "jpeg"];
const NAMED = /** @type {{[name: string]: string}} */ ({ white: "ffffff", black: "000000" });

/** What the panel shows, until it is applied. */
const draft = signal(/** @type {Options|undefined} */ (undefined));
/** How many of how many are packed; undefined while nothing is. */
const packing = signal(/** @type {{done: number, of: number}|undefined} */ (undefined));
/** Whether the looks are open where they have no column of their own. */
const open = signal(false);
const shownOptions = computed(() => draft.value ?? defaults.value);

/** The options with those that the preset stands for. @param {Options} options @returns {Options} */
function effective(options) {
  const preset = facts.value?.presets[options.preset ?? ""];
  const own = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== ""));
  const all = { ...(preset ? optionsOf(preset) : {}), ...own };
  return { ...all, background: (NAMED[all.background] ?? all.background ?? "").replace("#", "") };
}

/** @param {Options} change */
function change(change) {
  draft.value = { ...shownOptions.peek(), ...change };
}

async function apply() {
  const options = { preset: "", background: "", format: "", ...shownOptions.peek() };
  const ids = targets.peek();
  setDefaults(Object.fromEntries(Object.entries(options).filter(([, value]) => value !== "")));
  draft.value = undefined;
  open.value = false;
  (await import("./results.js")).applyOptions([...ids], options);
}

export function bulkPanel() {
  changes.value;
  const some = selected.value.size;
  const options = shownOptions.value;
  const looks = effective(options);
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
    <select .value=${live(preset)} @change=${(/** @type {any} */ event) => change({ preset: event.target.value, background: "", format: "" })}>
      <option value="" ?selected=${!preset}>${t("preset_none")}</option>
      ${marketplacesFirst(known).map(([name, facts]) => html`<option value=${name} ?selected=${preset === name}>${presetTitle(name, facts)}</option>`)}
    </select>
    </label>
    ${preset && known[preset] ? html`<p class="soft small">${presetNote(known[preset])} ${known[preset].source ? html`<a href=${known[preset].source} target="_blank" rel="noopener noreferrer">${t("preset_check")}</a>` : nothing}</p>` : nothing}`;
}

/** @param {{[name: string]: import("../app/api.js").Preset}} presets */
function marketplacesFirst(presets) {
  return Object.entries(presets).sort(([, one], [, other]) => Number(!one.source) - Number(!other.source));
}

/** @param {string} name @param {import("../app/api.js").Preset} preset */
function presetTitle(name, preset) {
  if (has(`preset_${name}`)) return t(`preset_${name}`);
  return typeof preset.title === "string" ? preset.title : name;
}

/** What a preset does: its size, ground and format. @param {import("../app/api.js").Preset} preset */
function presetNote(preset) {
  const { canvas, max_width: width, max_height: height, format, background } = optionsOf(preset);
  const size = canvas ? `${canvas.replace(/[x ]/, "\u00d7")} px` : width ? `\u2264\u00a0${width}\u00d7${height}` : "";
  return [size, background && t(`ground_${NAMED[background] ?? "colour"}`), format && t(`format_${format}`)].filter(Boolean).join(" \u00b7 ");
}

/** @param {Options} options @param {string} colour */
function swatch({ background = "" }, colour) {
  const name = t(`ground_${colour || "none"}`);
  return html`<label class="swatch ${colour ? `c-${colour}` : "checker"}" title=${name}><input type="radio" name="ground" aria-label=${name} .checked=${live(background === colour)} @change=${() => change({ background: colour })}></label>`;
}

/** @param {Options} options */
function pickSwatch({ background = "" }) {
  const own = background !== "" && !GROUNDS.includes(background);
  return html`<label class="swatch pick-colour ${own ? "own" : ""}" title=${t("ground_pick")}><input type="color" aria-label=${t("ground_pick")} .value=${live(own ? `#${background}` : "#c9d8f0")}
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
  const docs = done();
  if (!docs.length || packing.peek()) return;
  const of = docs.length;
  packing.value = { done: 0, of };
  try {
    const { downloadAll } = await import("./download.js");
    await downloadAll(docs, (done) => { packing.value = { done, of }; });
  } catch (error) {
    notify(t("download_failed", { reason: await errorText(error) }));
  }
  packing.value = undefined;
}

async function saveMetadata() {
  (await import("./download.js")).downloadMetadata();
}

function kept() {
  const known = facts.value;
  if (!known?.jobs) return html`<p class="kept soft small">${t("kept_here")}</p>`;
  return html`<p class="kept soft small">${t("kept", { hours: Math.round(known.result_ttl_seconds / 3600) })}</p>`;
}

/** The selected photos can be brought back; everything is deleted after a question. */
async function removeThem() {
  if (selected.peek().size) (await import("./removal.js")).removePhotos([...targets.peek()]);
  else (await import("./delete.js")).confirmDelete();
}
