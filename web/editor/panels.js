/**
 * The panels that follow the brush's: the other tools' options, background, shadow, canvas, presets and file.
 */
import { html } from "../vendor/lit-html/lit-html.js";
import { computed } from "../vendor/signals/signals-core.js";
import { live } from "../app/live.js";
import { addMessages, has, speaker, t } from "../app/i18n/index.js";
import { backgroundPanel, group, paintSwatches, setPicture, tiles } from "./background.js";
import { DEFAULT_QUALITY, DEFAULT_STRENGTH, LOSSY, frameKind, groundKind, presetOf, withFrame, withPreset, withoutPreset } from "./choices.js";
import { canvasOf } from "./gl/layout.js";
import { Guides } from "./guides.js";
import { en } from "./i18n/panels_en.js";
import { icon } from "./icons.js";
import { slider, toolOf } from "./toolbar.js";

addMessages("en", en);

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./choices.js").FrameKind} FrameKind */
/** @typedef {import("./toolbar.js").ToolFace} ToolFace */

/** Holes and specks are smaller than this share of the photo. */
const SPECK = 0.002;
/** Of 100. */
const CONTRAST = 40;

/** The panels, with the guides of passport photos, which belong to a session. @param {Session} session */
export function otherPanels(session) {
  /** The preset whose options are all in use. */
  const preset = computed(() => presetOf(session.presets, session.options.value));
  const guides = new Guides(session, preset);
  return {
    views: {
      ...{ tool: toolOptions, whole: wholeActions, background: backgroundPanel, shadow: shadowPanel, canvas: canvasPanel, file: filePanel },
      preset: (/** @type {Session} */ shown) => presetPanel(shown, guides),
    },
    paint: paintSwatches,
    close: guides.close,
  };
}

/** What follows the brush's own options. @param {Session} session */
function toolOptions(session) {
  const { settings } = session;
  const tool = toolOf(settings);
  return html`
    ${tool.name === "smart" ? check("ed_hair", settings.sampleHair) : html``}
    ${tool.kind === "region" ? regionSliders(session, tool) : html``}
    ${pendingActions(session, tool)}`;
}

/** @param {Session} session @param {ToolFace} tool */
function regionSliders({ settings }, tool) {
  return html`
    ${tool.name === "wand" ? html`
      ${range("ed_tolerance", settings.tolerance, 0, 100)}
      ${check("ed_contiguous", settings.contiguous)}` : html``}
    ${range("ed_feather", settings.feather, 0, 50, "ed_px")}
    ${range("ed_grow", settings.grow, -20, 20, "ed_px")}`;
}

/** @param {string} label @param {{value: number}} setting @param {number} min @param {number} max @param {string} [unit] */
function range(label, setting, min, max, unit) {
  const { value } = setting;
  return slider({ label, value, min, max, shown: unit && t(unit, { count: value }), set: (next) => { setting.value = next; } });
}

/** @param {string} label @param {{value: boolean}} setting */
function check(label, setting) {
  return html`<label class="switch"><input type="checkbox" .checked=${live(setting.value)} @change=${(/** @type {any} */ event) => { setting.value = event.target.checked; }}><span>${t(label)}</span></label>`;
}

/** @param {Session} session @param {ToolFace} tool */
function pendingActions(session, tool) {
  const used = session.tools.get(tool.name);
  if (!used?.pending?.value) return html``;
  return html`<div class="ed-pending">
    <button type="button" class="button primary" @click=${() => used.apply?.()}>${icon("check")}${t("ed_apply")}</button>
    <button type="button" class="button" @click=${() => used.discard?.()}>${t("ed_discard")}</button>
  </div>`;
}

/** What is done to all of the cut-out. @param {Session} session */
function wholeActions(session) {
  const area = session.document.width * session.document.height;
  const button = (/** @type {string} */ name, /** @type {(actions: import("./tools/actions.js").Actions) => unknown} */ run) => html`<button type="button" class="ed-chip" @click=${() => session.whole(run)}>${t(`ed_whole_${name}`)}</button>`;
  return html`<div class="ed-chips">
    ${button("holes", (actions) => actions.fillHoles(Math.round(area * SPECK)))}
    ${button("specks", (actions) => actions.dropSpecks(Math.round(area * SPECK)))}
    ${button("contrast", (actions) => actions.contrast(CONTRAST))}
    ${button("invert", (actions) => actions.invert())}
    ${button("full", (actions) => actions.full())}
    ${button("empty", (actions) => actions.empty())}
    ${button("reset", (actions) => actions.reset())}
  </div>`;
}

/** @param {Session} session */
function shadowPanel(session) {
  const options = session.options.value;
  const kind = options.shadow || "none";
  const strength = options.shadow_opacity ? Number(options.shadow_opacity) : DEFAULT_STRENGTH;
  return group("shadow", html`
    ${tiles("shadow", ["none", "drop", "contact"], kind, (next) => session.set({ shadow: next === "none" ? "" : next }))}
    ${kind === "none" ? html`` : slider({ label: "ed_strength", value: strength, min: 1, max: 100, shown: t("ed_percent", { share: strength }), set: (value) => session.set({ shadow_opacity: value }) })}`);
}

/** @param {Session} session */
function canvasPanel(session) {
  const options = session.options.value;
  const kind = frameKind(options);
  const { width, height } = session.look.layout.value;
  return group("canvas", html`
    ${tiles("frame", ["photo", "crop", "square", "tall", "wide", "exact"], kind, (/** @type {FrameKind} */ next) => { session.options.value = withFrame(options, next); })}
    ${kind === "exact" ? sizeFields(session) : html``}
    ${kind === "crop" ? marginSlider(session) : html``}
    ${kind === "photo" || kind === "crop" ? html`` : fillFields(session)}
  `, t("ed_result_size", { width: speaker().number(width), height: speaker().number(height) }));
}

/** @param {Session} session */
function sizeFields(session) {
  const { width, height, ratio } = canvasOf(session.options.value.canvas) ?? { width: 2000, height: 2000, ratio: false };
  const set = (/** @type {number} */ across, /** @type {number} */ down) => {
    if (across > 0 && down > 0) session.set({ canvas: ratio ? `${across}:${down}` : `${Math.round(across)}x${Math.round(down)}` });
  };
  return html`<div class="ed-pair">
    <label class="field">${t("ed_width")}<input type="number" inputmode="numeric" min="1" max="16384" .value=${live(String(width))} @change=${(/** @type {any} */ event) => set(Number(event.target.value), height)}></label>
    <label class="field">${t("ed_height")}<input type="number" inputmode="numeric" min="1" max="16384" .value=${live(String(height))} @change=${(/** @type {any} */ event) => set(width, Number(event.target.value))}></label>
  </div>`;
}

/** @param {Session} session */
function marginSlider(session) {
  const value = parseFloat(session.options.value.crop_margin ?? "0") || 0;
  return slider({ label: "ed_margin", value, min: 0, max: 50, shown: t("ed_percent", { share: value }), set: (share) => session.set({ crop_margin: share ? `${share}%` : "" }) });
}

/** @param {Session} session */
function fillFields(session) {
  const { scale, enlarge } = session.options.value;
  const filled = Boolean(scale);
  const share = parseFloat(scale ?? "") || 80;
  return html`
    <label class="switch"><input type="checkbox" .checked=${live(filled)} @change=${(/** @type {any} */ event) => session.set({ scale: event.target.checked ? "80%" : "", position: "" })}><span>${t("ed_centre")}</span></label>
    ${filled ? slider({ label: "ed_fill", value: share, min: 10, max: 100, shown: t("ed_percent", { share }), set: (value) => session.set({ scale: `${value}%` }) }) : html``}
    <label class="switch"><input type="checkbox" .checked=${live(enlarge !== "never")} @change=${(/** @type {any} */ event) => session.set({ enlarge: event.target.checked ? "" : "never" })}><span>${t("ed_enlarge")}</span></label>`;
}

/** @param {Session} session @param {Guides} guides */
function presetPanel(session, guides) {
  const { presets } = session;
  const options = session.options.value;
  const chosen = guides.preset.value;
  const choose = (/** @type {Event} */ event) => {
    const name = /** @type {HTMLSelectElement} */ (event.target).value;
    const preset = presets.find((each) => each.name === name);
    if (preset) setPicture(session, null);
    session.options.value = preset ? withPreset(options, preset) : withoutPreset(options, chosen);
  };
  return group("preset", html`
    <label class="field"><span class="hidden-text">${t("ed_preset")}</span><select aria-label=${t("ed_preset")} @change=${choose}>
      <option value="" .selected=${!chosen}>${t("ed_preset_none")}</option>
      ${presets.map((preset) => html`<option value=${preset.name} .selected=${preset === chosen}>${has(`preset_${preset.name}`) ? t(`preset_${preset.name}`) : preset.title}</option>`)}
    </select></label>
    ${chosen?.source ? presetNote(chosen) : html``}
    ${guides.view()}`);
}

/** @param {import("./options.js").Preset} preset */
function presetNote({ name, source, date }) {
  return html`<p class="soft small">${t(name.startsWith("passport") ? "ed_preset_check_state" : "ed_preset_check")} ${/^https:/.test(source) ? html`<a href=${source} target="_blank" rel="noreferrer">${new URL(source).host}</a>` : source}${date ? html` · ${date}` : html``}</p>`;
}

/** @param {Session} session */
function filePanel(session) {
  const options = session.options.value;
  const format = options.format || "png";
  const quality = options.quality ? Number(options.quality) : DEFAULT_QUALITY;
  const formats = (session.facts?.formats.results ?? ["png", "webp", "jpeg"]).filter((name) => name !== "zip");
  return group("file", html`
    <div class="segmented ed-formats" role="radiogroup" aria-label=${t("ed_format")}>
      ${formats.map((name) => html`<label><input type="radio" name="ed-format" .checked=${live(format === name)} @change=${() => session.set({ format: name === "png" ? "" : name })}><span>${t(`ed_format_${name}`)}</span></label>`)}
    </div>
    ${LOSSY.has(format) ? slider({ label: "ed_quality", value: quality, min: 10, max: 100, set: (value) => session.set({ quality: value === DEFAULT_QUALITY ? "" : value }) }) : html``}
    <label class="field row">${t("ed_dpi")}<input class="ed-short" type="number" inputmode="numeric" min="1" max="2400" placeholder="72" .value=${live(options.dpi ?? "")} @change=${(/** @type {any} */ event) => session.set({ dpi: event.target.value })}></label>
    ${format === "jpeg" && groundKind(options, Boolean(session.look.picture.value)) === "none" ? html`<p class="soft small">${t("ed_jpeg_white")}</p>` : html``}`);
}
