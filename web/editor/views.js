/**
 * The editor's views: each part of the window is rendered by itself, when what it shows has changed.
 */
import { html, render } from "../vendor/lit-html/lit-html.js";
import { effect, signal } from "../vendor/signals/signals-core.js";
import { part as laterPart } from "../app/connection.js";
import { live } from "../app/live.js";
import { speaker, t } from "../app/i18n/index.js";
import { order } from "../app/store.js";
import { exportButtons } from "./exports.js";
import { icon } from "./icons.js";
import { attachPointers } from "./pointers.js";
import { toolOptions, toolbar } from "./toolbar.js";

/** @typedef {import("./session.js").Session} Session */

const ZOOM_STEP = 1.5;
/** Parts of the panel; phones show one at a time. */
const PANELS = ["cut", "background", "shadow", "canvas", "preset", "file"];
const OVERLAYS = ["none", "red", "outline", "mask"];
/** The thumb of the slider between photo and result, in CSS px. */
const THUMB = 44;
const KEYS = /** @type {const} */ (["keydown", "keyup"]);

/** @param {HTMLElement} root @param {Session} session */
export function attachViews(root, session) {
  const editor = /** @type {HTMLElement} */ (root.querySelector(".editor"));
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
  const element = /** @type {HTMLElement} */ (root.querySelector(".ed-stage"));
  const { compare, stage } = session;
  const draw = (/** @type {string} */ name, /** @type {(session: Session) => unknown} */ view) => effect(() => { render(view(session), part(name)); });
  const { notices, film, others, load, close } = laterViews(editor, element, session);
  // Painting is done on the result alone.
  element.addEventListener("pointerdown", () => {
    if (session.settings.tool.value !== "hand" && compare.mode.value === "split") session.compareBy("off");
    stage.redraw();
  }, { capture: true });
  const stops = [
    draw("top", topBar),
    draw("tools", toolbar),
    effect(() => {
      render(panel(session, others.value?.views), part("panel"));
      others.value?.paint(part("panel"));
    }),
    draw("hud", hud),
    draw("notice", () => notices.value?.(session)),
    draw("strip", () => film.value?.view()),
    // Its place is there before it is loaded.
    effect(() => { part("strip").classList.toggle("many", order.value.length > 1); }),
    effect(() => {
      render(compareSlider(compare), part("split"));
      placeSlider(part("split"), stage.span.value);
    }),
    effect(() => { editor.dataset.panel = session.panel.value; }),
    attachPointers(element, session),
    close,
  ];
  session.follow(load);
  element.focus({ preventScroll: true });
  return { close() { for (const stop of stops) stop(); } };
}

/** Views that follow, and the keys. @param {HTMLElement} editor @param {HTMLElement} element the stage @param {Session} session */
function laterViews(editor, element, session) {
  const notices = signal(/** @type {typeof import("./notices.js").notices | undefined} */ (undefined));
  const film = signal(/** @type {import("./filmstrip.js").Filmstrip | undefined} */ (undefined));
  const others = signal(/** @type {ReturnType<typeof import("./panels.js").otherPanels> | undefined} */ (undefined));
  /** Keys that are pressed before what they do is loaded. @type {KeyboardEvent[]} */
  const pressed = [];
  const press = (/** @type {KeyboardEvent} */ event) => { pressed.push(event); };
  for (const name of KEYS) editor.addEventListener(name, press);
  let closed = false;
  let stopKeys = () => {};
  return {
    notices, film, others,
    load: [
      async () => {
        const later = await laterPart(() => import("./notices.js"));
        later.judge(session);
        notices.value = later.notices;
      },
      async () => {
        const { Filmstrip } = await laterPart(() => import("./filmstrip.js"));
        if (!closed) film.value = new Filmstrip(session.id);
      },
      async () => {
        const { attachKeys } = await laterPart(() => import("./keys.js"));
        for (const name of KEYS) editor.removeEventListener(name, press);
        if (!closed) stopKeys = attachKeys(editor, element, session, pressed);
      },
      async () => {
        const { otherPanels } = await laterPart(() => import("./panels.js"));
        if (!closed) others.value = otherPanels(session);
      },
    ],
    close() {
      closed = true;
      stopKeys();
      others.peek()?.close();
      film.peek()?.close();
    },
  };
}

/** @param {Session} session */
function topBar(session) {
  const { canUndo, canRedo } = session.history.value;
  const number = order.value.indexOf(session.id) + 1;
  const count = order.value.length;
  const saved = session.document.saved.value;
  return html`
    <button type="button" class="button quiet ed-back" aria-label=${t("ed_back")} @click=${() => session.leave()}>${icon("back")}<span class="ed-wide">${t("ed_back")}</span></button>
    <h1 title=${session.name}>${session.name}</h1>
    ${count > 1 ? html`<span class="soft small ed-wide">${t("ed_place", { number, count })}</span>` : html``}
    <span class="ed-saved soft small ${saved}" role="status" aria-live="off" aria-label=${t(`ed_${saved}`)} title=${saved === "off" ? t("ed_off_why") : ""}>${saved === "saved" ? icon("check") : html``}<span class="ed-wide">${t(`ed_${saved}`)}</span></span>
    <div class="ed-history">
      <button type="button" class="icon-button" aria-label=${t("ed_undo")} aria-keyshortcuts="Control+Z" data-tip=${t("ed_undo")} ?disabled=${!canUndo} @click=${() => session.step("undo")}>${icon("undo")}</button>
      <button type="button" class="icon-button" aria-label=${t("ed_redo")} aria-keyshortcuts="Control+Shift+Z" data-tip=${t("ed_redo")} ?disabled=${!canRedo} @click=${() => session.step("redo")}>${icon("redo")}</button>
    </div>
    ${exportButtons(session)}`;
}

/** The view's controls, floating over the stage. @param {Session} session */
function hud(session) {
  const { viewport, compare, settings } = session;
  const mode = compare.mode.value;
  const by = (/** @type {import("./picture.js").CompareMode} */ next) => session.compareBy(next === mode ? "off" : next);
  const overlay = settings.overlay.value;
  const nextOverlay = () => { settings.overlay.value = /** @type {any} */ (OVERLAYS[(OVERLAYS.indexOf(overlay) + 1) % OVERLAYS.length]); };
  return html`
    <div class="ed-pill">
      <button type="button" class="icon-button" aria-label=${t("ed_zoom_out")} data-tip=${t("ed_zoom_out")} @click=${() => viewport.zoom(1 / ZOOM_STEP)}>${icon("minus")}</button>
      <button type="button" class="ed-scale" aria-label=${t("ed_actual")} data-tip=${t("ed_actual")} @click=${() => viewport.actual()}>${speaker().number(viewport.scale.value, { style: "percent", maximumFractionDigits: 0 })}</button>
      <button type="button" class="icon-button" aria-label=${t("ed_zoom_in")} data-tip=${t("ed_zoom_in")} @click=${() => viewport.zoom(ZOOM_STEP)}>${icon("plus")}</button>
      <button type="button" class="icon-button" aria-label=${t("ed_fit")} data-tip=${t("ed_fit")} @click=${() => viewport.fit()}>${icon("fit")}</button>
    </div>
    <div class="ed-pill">
      <button type="button" class="icon-button" aria-label=${t("ed_compare")} data-tip=${t("ed_compare")} aria-pressed=${String(mode === "split")} @click=${() => by("split")}>${icon("split")}</button>
      <button type="button" class="icon-button" aria-label=${t("ed_sides")} data-tip=${t("ed_sides")} aria-pressed=${String(mode === "sides")} @click=${() => by("sides")}>${icon("sides")}</button>
      <button type="button" class="icon-button" aria-label=${t(`ed_overlay_${overlay}`)} data-tip=${t(`ed_overlay_${overlay}`)} aria-keyshortcuts="Q" aria-pressed=${String(overlay !== "none")} @click=${nextOverlay}>${icon("eye")}</button>
      <button type="button" class="icon-button ed-wide" aria-label=${t("keys_title")} data-tip=${t("keys_title")} aria-haspopup="dialog" @click=${async () => (await laterPart(() => import("./keys.js"))).showKeys(settings)}>${icon("keys")}</button>
    </div>
    <p class="ed-facts small soft">${t("ed_kept", { share: speaker().number(session.look.kept.value, { style: "percent", maximumFractionDigits: 0 }) })}</p>`;
}

/** The slider that moves the split between photo and result. @param {import("./picture.js").Compare} compare */
function compareSlider(compare) {
  if (compare.mode.value !== "split") return html``;
  const move = (/** @type {Event} */ event) => {
    compare.at.value = Number(/** @type {HTMLInputElement} */ (event.target).value);
  };
  return html`<input class="compare-slider" type="range" dir="ltr" min="0" max="100" step="1" aria-label=${t("ed_before_after")}
    aria-valuetext=${t("ed_before_after_value", { share: compare.at.value })} .value=${live(String(compare.at.value))}
    @input=${move} @dblclick=${() => compare.next()}>`;
}

/** Lay the slider over the picture's part of the stage. @param {Element} hud @param {{left: number, right: number}} span in CSS px */
function placeSlider(hud, span) {
  const slider = hud.querySelector(".compare-slider");
  if (!(slider instanceof HTMLElement)) return;
  slider.style.left = `${span.left - THUMB / 2}px`;
  slider.style.width = `${span.right - span.left + THUMB}px`;
}

/** @param {Session} session @param {{[name: string]: (session: Session) => unknown}} [others] */
function panel(session, others) {
  const shown = session.panel.value;
  return html`
    <div class="ed-tabs" role="tablist" aria-label=${t("ed_panels")}>
      ${PANELS.map((name) => html`<button type="button" role="tab" id=${`ed-tab-${name}`} aria-selected=${String(name === shown)} tabindex=${name === shown ? 0 : -1}
        @click=${() => { session.panel.value = name; }} @keydown=${(/** @type {KeyboardEvent} */ event) => moveTab(event, session)}>${t(`ed_panel_${name}`)}</button>`)}
    </div>
    <div class="ed-groups">
      <div data-group="cut">${toolOptions(session, others)}</div>
      ${PANELS.slice(1).map((name) => html`<div data-group=${name}>${others?.[name](session)}</div>`)}
    </div>`;
}

/** @param {KeyboardEvent} event @param {Session} session */
function moveTab(event, session) {
  const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!move) return;
  event.preventDefault();
  session.panel.value = PANELS[(PANELS.indexOf(session.panel.value) + move + PANELS.length) % PANELS.length];
  document.getElementById(`ed-tab-${session.panel.value}`)?.focus();
}
