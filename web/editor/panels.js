/**
 * The panels beside the stage: what is behind the subject, its shadow, the canvas, presets, and the file.
 */
import { html } from "../vendor/lit-html/lit-html.js";
import { live } from "../app/live.js";
import { has, speaker, t } from "../app/i18n/index.js";
import { canvasOf } from "./gl/layout.js";
import { icon } from "./icons.js";
import {
  DEFAULT_QUALITY, DEFAULT_STRENGTH, GRADIENTS, LOSSY, SWATCHES, changed, frameKind, groundKind, withFrame, withGround, withPreset, withoutPreset,
} from "./options.js";
import { slider } from "./toolbar.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./options.js").GroundKind} GroundKind */
/** @typedef {import("./options.js").FrameKind} FrameKind */

/** @param {Session} session */
export function backgroundPanel(session) {
  const options = session.options.value;
  const kind = session.pickingPicture.value ? "picture" : groundKind(options, Boolean(session.look.picture.value));
  const choose = (/** @type {GroundKind} */ next) => {
    session.pickingPicture.value = next === "picture";
    if (next !== "picture") session.setPicture(null);
    session.options.value = withGround(options, next);
  };
  return group("background", html`
    ${tiles("ground", ["none", "colour", "gradient", "picture", "blur"], kind, choose)}
    ${kind === "colour" ? swatches(session) : html``}
    ${kind === "gradient" ? gradients(session) : html``}
    ${kind === "picture" ? pictureField(session) : html``}
    ${kind === "blur" ? slider({ label: "ed_blur", value: Number(options.background_blur), min: 1, max: 100, set: (value) => session.set({ background_blur: value }) }) : html``}`);
}

/** @param {Session} session */
function swatches(session) {
  const chosen = hex(session.options.value.background);
  return html`<div class="ed-swatches" role="group" aria-label=${t("ed_colour")}>
    ${SWATCHES.map((colour, n) => html`<button type="button" class="ed-swatch" aria-pressed=${String(colour === chosen)}
      aria-label=${t(`ed_swatch_${n + 1}`)} data-colour=${colour} @click=${() => session.set({ background: colour })}></button>`)}
    <label class="ed-swatch own" data-tip=${t("ed_own_colour")}><input type="color" aria-label=${t("ed_own_colour")} .value=${live(chosen)}
      @input=${(/** @type {any} */ event) => session.set({ background: event.target.value })}></label>
  </div>`;
}

/** @param {Session} session */
function gradients(session) {
  const text = session.options.value.background_gradient ?? GRADIENTS[0];
  const [degrees, first, second] = text.split(" ");
  const set = (/** @type {string[]} */ ...words) => session.set({ background_gradient: words.join(" ") });
  return html`
    <div class="ed-swatches" role="group" aria-label=${t("ed_gradient")}>
      ${GRADIENTS.map((gradient, n) => html`<button type="button" class="ed-swatch" aria-pressed=${String(gradient === text)}
        aria-label=${t("ed_gradient_number", { number: n + 1 })} data-gradient=${gradient} @click=${() => set(gradient)}></button>`)}
    </div>
    <div class="ed-pair">
      <label class="field row">${t("ed_from")}<input type="color" .value=${live(hex(first))} @input=${(/** @type {any} */ event) => set(degrees, event.target.value, second)}></label>
      <label class="field row">${t("ed_to")}<input type="color" .value=${live(hex(second))} @input=${(/** @type {any} */ event) => set(degrees, first, event.target.value)}></label>
    </div>
    ${slider({ label: "ed_direction", value: Number(degrees), min: 0, max: 360, step: 5, shown: t("ed_degrees", { count: Number(degrees) }), set: (value) => set(String(value), first, second) })}`;
}

/** @param {Session} session */
function pictureField(session) {
  const take = (/** @type {Event} */ event) => {
    const [file] = /** @type {HTMLInputElement} */ (event.target).files ?? [];
    if (file) session.setPicture(file);
  };
  return html`<label class="button ed-file">${icon("picture")}${t(session.look.picture.value ? "ed_other_picture" : "ed_choose_picture")}
    <input type="file" accept="image/*" aria-label=${t("ed_choose_picture")} @change=${take}></label>`;
}

/** @param {Session} session */
export function shadowPanel(session) {
  const options = session.options.value;
  const kind = options.shadow || "none";
  const strength = options.shadow_opacity ? Number(options.shadow_opacity) : DEFAULT_STRENGTH;
  return group("shadow", html`
    ${tiles("shadow", ["none", "drop", "contact"], kind, (next) => session.set({ shadow: next === "none" ? "" : next }))}
    ${kind === "none" ? html`` : slider({ label: "ed_strength", value: strength, min: 1, max: 100, shown: t("ed_percent", { share: strength }), set: (value) => session.set({ shadow_opacity: value }) })}`);
}

/** @param {Session} session */
export function canvasPanel(session) {
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

/** @param {Session} session */
export function presetPanel(session) {
  const { presets } = session;
  const options = session.options.value;
  const chosen = session.preset.value;
  const choose = (/** @type {Event} */ event) => {
    const name = /** @type {HTMLSelectElement} */ (event.target).value;
    const preset = presets.find((each) => each.name === name);
    if (preset) session.setPicture(null);
    session.options.value = preset ? withPreset(options, preset) : withoutPreset(options, chosen);
  };
  return group("preset", html`
    <label class="field"><span class="hidden-text">${t("ed_preset")}</span><select aria-label=${t("ed_preset")} @change=${choose}>
      <option value="" .selected=${!chosen}>${t("ed_preset_none")}</option>
      ${presets.map((preset) => html`<option value=${preset.name} .selected=${preset === chosen}>${has(`preset_${preset.name}`) ? t(`preset_${preset.name}`) : preset.title}</option>`)}
    </select></label>
    ${chosen?.source ? presetNote(chosen) : html``}
    ${session.guides.view()}`);
}

/** @param {import("./options.js").Preset} preset */
function presetNote({ name, source, date }) {
  return html`<p class="soft small">${t(name.startsWith("passport") ? "ed_preset_check_state" : "ed_preset_check")} ${/^https:/.test(source) ? html`<a href=${source} target="_blank" rel="noreferrer">${new URL(source).host}</a>` : source}${date ? html` · ${date}` : html``}</p>`;
}

/** @param {Session} session */
export function filePanel(session) {
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

/** A group of controls with its name as heading. @param {string} name @param {unknown} content @param {string} [aside] */
function group(name, content, aside = "") {
  return html`<section class="ed-group" role="group" aria-labelledby=${`ed-group-${name}`}>
    <div class="ed-group-head"><h2 id=${`ed-group-${name}`}>${t(`ed_${name}`)}</h2>${aside ? html`<span class="soft small">${aside}</span>` : html``}</div>${content}</section>`;
}

/** A choice of one, as tiles with icons. @template {string} T @param {string} name @param {T[]} kinds @param {string} chosen @param {(kind: T) => void} choose */
function tiles(name, kinds, chosen, choose) {
  return html`<div class=${`ed-tiles ${name}`} role="radiogroup" aria-label=${t(`ed_choice_${name}`)}>
    ${kinds.map((kind) => html`<label class="ed-tile"><input type="radio" name=${`ed-${name}`} .checked=${live(kind === chosen)} @change=${() => choose(kind)}>
      ${icon(name === "ground" ? kind : `${name}_${kind}`)}<span>${t(`ed_${name}_${kind}`)}</span></label>`)}
  </div>`;
}

/** A colour as an input of type colour takes it. @param {string | undefined} colour */
function hex(colour) {
  const digits = (colour ?? "").trim().toLowerCase().replace(/^#/, "");
  if (/^[0-9a-f]{3}$/.test(digits)) return `#${[...digits].map((digit) => digit + digit).join("")}`;
  if (/^[0-9a-f]{6}/.test(digits)) return `#${digits.slice(0, 6)}`;
  return digits === "black" ? "#000000" : "#ffffff";
}

/** Colour the swatches: a template can't, under a policy without inline styles. @param {Element} panel */
export function paintSwatches(panel) {
  for (const swatch of panel.querySelectorAll(".ed-swatch")) {
    if (!(swatch instanceof HTMLElement)) continue;
    const { colour, gradient } = swatch.dataset;
    const [degrees, first, second] = (gradient ?? "").split(" ");
    if (colour) swatch.style.background = colour;
    if (gradient) swatch.style.background = `linear-gradient(${degrees}deg, ${first}, ${second})`;
  }
}
