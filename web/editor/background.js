/**
 * The background panel, and the parts that it shares with the panels below it.
 */
import { html } from "../vendor/lit-html/lit-html.js";
import { live } from "../app/live.js";
import { t } from "../app/i18n/index.js";
import { patch } from "../app/store.js";
import { GRADIENTS, SWATCHES, groundKind, withGround } from "./choices.js";
import { laterIcon } from "./later_icons.js";
import { slider } from "./toolbar.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./choices.js").GroundKind} GroundKind */

/** @param {Session} session */
export function backgroundPanel(session) {
  const options = session.options.value;
  const kind = session.pickingPicture.value ? "picture" : groundKind(options, Boolean(session.look.picture.value));
  const choose = (/** @type {GroundKind} */ next) => {
    session.pickingPicture.value = next === "picture";
    if (next !== "picture") setPicture(session, null);
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
    if (file) setPicture(session, file);
  };
  return html`<label class="button ed-file">${laterIcon("picture")}${t(session.look.picture.value ? "ed_other_picture" : "ed_choose_picture")}
    <input type="file" accept="image/*" aria-label=${t("ed_choose_picture")} @change=${take}></label>`;
}

/** Put a picture behind the subject, or take it away. @param {Session} session @param {Blob | null} file */
export async function setPicture(session, file) {
  if (session.document.readOnly.peek()) return session.say(t("tool_read_only"));
  if (!(await session.showPicture(file))) return;
  if (file) session.set({ background: "", background_gradient: "", background_blur: "" });
  session.touched();
  patch(session.id, { ground: file ?? undefined });
}

/** A group of controls with its name as heading. @param {string} name @param {unknown} content @param {string} [aside] */
export function group(name, content, aside = "") {
  return html`<section class="ed-group" role="group" aria-labelledby=${`ed-group-${name}`}>
    <div class="ed-group-head"><h2 id=${`ed-group-${name}`}>${t(`ed_${name}`)}</h2>${aside ? html`<span class="soft small">${aside}</span>` : html``}</div>${content}</section>`;
}

/** A choice of one, as tiles with icons. @template {string} T @param {string} name @param {T[]} kinds @param {string} chosen @param {(kind: T) => void} choose */
export function tiles(name, kinds, chosen, choose) {
  return html`<div class=${`ed-tiles ${name}`} role="radiogroup" aria-label=${t(`ed_choice_${name}`)}>
    ${kinds.map((kind) => html`<label class="ed-tile"><input type="radio" name=${`ed-${name}`} .checked=${live(kind === chosen)} @change=${() => choose(kind)}>
      ${laterIcon(name === "ground" ? kind : `${name}_${kind}`)}<span>${t(`ed_${name}_${kind}`)}</span></label>`)}
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
