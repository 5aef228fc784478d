/**
 * The tools, and the settings of the one in use.
 */
import { html } from "../vendor/lit-html/lit-html.js";
import { live } from "../app/live.js";
import { t } from "../app/i18n/index.js";
import { icon } from "./icons.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {{name: string, key: string, kind: "brush" | "region" | "hand"}} ToolFace */

/** @type {ToolFace[]} */
export const TOOLS = [
  { name: "brush", key: "B", kind: "brush" },
  { name: "smart", key: "S", kind: "brush" },
  { name: "wand", key: "W", kind: "region" },
  { name: "lasso", key: "L", kind: "region" },
  { name: "polygon", key: "P", kind: "region" },
  { name: "rectangle", key: "R", kind: "region" },
  { name: "ellipse", key: "Shift+R", kind: "region" },
  { name: "object", key: "G", kind: "region" },
  { name: "hand", key: "H", kind: "hand" },
];
/** Tools that are only keys, such as the zoom, have no settings either. */
const HAND = /** @type {ToolFace} */ (TOOLS.at(-1));
const LARGEST_BRUSH = 2000;
const MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/** @param {Session} session */
export function toolbar(session) {
  const { settings } = session;
  const tools = TOOLS.filter(({ name }) => session.tools.has(name));
  const chosen = tools.some(({ name }) => name === settings.tool.value) ? settings.tool.value : tools[0]?.name;
  return html`<div class="ed-tools-bar" role="toolbar" aria-label=${t("ed_tools")} aria-orientation="vertical" @keydown=${rove}>
    ${tools.map(({ name, key }) => html`<button type="button" class="icon-button tool" tabindex=${name === chosen ? 0 : -1}
      aria-label=${t(`ed_tool_${name}`)} aria-pressed=${String(name === chosen)} aria-keyshortcuts=${key} data-tip=${t("ed_tip", { name: t(`ed_tool_${name}`), key })}
      @click=${() => session.choose(name)}>${icon(name)}</button>`)}
  </div>`;
}

/** Move the focus along a toolbar by its arrow keys. @param {KeyboardEvent} event */
function rove(event) {
  const bar = /** @type {HTMLElement} */ (event.currentTarget);
  const buttons = [...bar.querySelectorAll("button")];
  const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
  const move = /** @type {{[key: string]: number}} */ (MOVES)[event.key];
  const to = event.key === "Home" ? 0 : event.key === "End" ? buttons.length - 1 : move && (at + move + buttons.length) % buttons.length;
  if (to === undefined || at < 0) return;
  event.preventDefault();
  for (const button of buttons) button.tabIndex = -1;
  buttons[to].tabIndex = 0;
  buttons[to].focus();
}

/** The tool in use. @param {Session["settings"]} settings */
export function toolOf({ tool }) {
  return TOOLS.find(({ name }) => name === tool.value) ?? HAND;
}

/** The settings of the tool in use. @param {Session} session @param {{[name: string]: (session: Session) => unknown}} [later] those that follow the brush's */
export function toolOptions(session, later) {
  session.arrived.value;
  const tool = toolOf(session.settings);
  return html`<div class="ed-tool-options" role="group" aria-label=${t(`ed_tool_${tool.name}`)}>
    <h2>${t(`ed_tool_${tool.name}`)}</h2>
    <p class="soft small ed-hint">${t(`ed_hint_${tool.name}`)}</p>
    ${tool.kind === "hand" ? html`` : modes(session, tool)}
    ${tool.kind === "brush" ? brushSliders(session, tool) : html``}
    ${later?.tool(session)}
    ${tool.kind === "hand" ? html`` : html`<details class="ed-whole" @toggle=${(/** @type {any} */ event) => event.currentTarget.scrollIntoView({ block: "nearest" })}><summary>${t("ed_whole")}</summary>${later?.whole(session)}</details>`}
  </div>`;
}

/** @param {Session} session @param {ToolFace} tool */
function modes({ settings, tools }, tool) {
  const { mark } = /** @type {Partial<import("./tools/object.js").ObjectTool>} */ (tools.get(tool.name) ?? {});
  return html`${mark ? choice("tool_mark", ["add", "leave"], mark) : html``}
    ${choice("ed_mode", tool.kind === "region" ? ["erase", "restore", "keep"] : ["erase", "restore"], settings.mode)}`;
}

/** A choice of one, by radios. @param {string} label @param {string[]} values @param {{value: string}} setting */
function choice(label, values, setting) {
  return html`<div class="segmented ed-modes" role="radiogroup" aria-label=${t(label)}>
    ${values.map((value) => html`<label class=${value}><input type="radio" name=${label} .checked=${live(setting.value === value)}
      @change=${() => { setting.value = value; }}><span>${t(`${label}_${value}`)}</span></label>`)}
  </div>`;
}

/** @param {Session} session @param {ToolFace} tool */
function brushSliders({ settings }, tool) {
  return html`
    ${slider({ label: "ed_size", value: settings.size.value, min: 0, max: 100, step: 0.5, shown: t("ed_px", { count: Math.round(settings.size.value) }), from: sizeOf, to: shareOf, set: (value) => { settings.size.value = value; } })}
    ${tool.name === "brush" ? html`
      ${percent("ed_hardness", settings.hardness)}
      ${percent("ed_opacity", settings.opacity)}` : html``}`;
}

/** @param {string} label @param {{value: number}} setting 0 to 1 */
function percent(label, setting) {
  const value = Math.round(100 * setting.value);
  return slider({ label, value, min: 1, max: 100, shown: t("ed_percent", { share: value }), set: (share) => { setting.value = share / 100; } });
}

/**
 * A slider with its name and value above it. `from` and `to` convert between its steps and the value.
 * @param {{label: string, value: number, min: number, max: number, step?: number, shown?: string, set: (value: number) => void,
 *   from?: (at: number) => number, to?: (value: number) => number}} parts
 */
export function slider({ label, value, min, max, step = 1, shown = String(value), set, from = (at) => at, to = (at) => at }) {
  const text = t(label);
  const move = (/** @type {Event} */ event) => set(from(Number(/** @type {HTMLInputElement} */ (event.target).value)));
  return html`<label class="ed-slider"><span class="ed-slider-name">${text}</span><output>${shown}</output>
    <input type="range" min=${min} max=${max} step=${step} aria-label=${text} aria-valuetext=${shown} .value=${live(String(to(value)))} @input=${move}></label>`;
}

/** Sizes grow by factors along the slider: small brushes need small steps. @param {number} at 0 to 100 */
export function sizeOf(at) {
  return Math.max(1, Math.round(LARGEST_BRUSH ** (at / 100)));
}

/** @param {number} size */
export function shareOf(size) {
  return Math.round((200 * Math.log(Math.max(1, size))) / Math.log(LARGEST_BRUSH)) / 2;
}
