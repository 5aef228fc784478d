/**
 * The editor's views: each part of the window is rendered by itself, when what it shows has changed.
 */
import { html, render } from "../vendor/lit-html/lit-html.js";
import { effect, signal } from "../vendor/signals/signals-core.js";
import { part as laterPart } from "../app/connection.js";
import { speaker, t } from "../app/i18n/index.js";
import { order } from "../app/store.js";
import { compareSlider, placeSlider } from "./compare.js";
import { exportButtons } from "./exports.js";
import { icon } from "./icons.js";
import { attachEditor } from "./shortcuts.js";
import { toolOptions, toolbar } from "./toolbar.js";

/** @typedef {import("./session.js").Session} Session */

const ZOOM_STEP = 1.5;
/** Parts of the panel; phones show one at a time. */
const PANELS = ["cut", "background", "shadow", "canvas", "preset", "file"];
const OVERLAYS = ["none", "red", "outline", "mask"];

/** @param {HTMLElement} root @param {Session} session */
export function attachViews(root, session) {
  const editor = /** @type {HTMLElement} */ (root.querySelector(".editor"));
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
  const element = /** @type {HTMLElement} */ (root.querySelector(".ed-stage"));
  const { compare, stage } = session;
  const draw = (/** @type {string} */ name, /** @type {(session: Session) => unknown} */ view) => effect(() => { render(view(session), part(name)); });
  /** Views that follow. */
  const notices = signal(/** @type {typeof import("./notices.js").notices | undefined} */ (undefined));
  const film = signal(/** @type {import("./filmstrip.js").Filmstrip | undefined} */ (undefined));
  const others = signal(/** @type {ReturnType<typeof import("./panels.js").otherPanels> | undefined} */ (undefined));
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
    attachEditor(editor, element, session, stage),
    () => others.peek()?.close(),
    () => film.peek()?.close(),
  ];
  let closed = false;
  session.follow([
    async () => { notices.value = (await laterPart(() => import("./notices.js"))).notices; },
    async () => {
      const { Filmstrip } = await laterPart(() => import("./filmstrip.js"));
      if (!closed) film.value = new Filmstrip(session.id);
    },
    async () => {
      const { attachKeys } = await laterPart(() => import("./keys.js"));
      if (!closed) stops.push(attachKeys(element, session));
    },
    async () => {
      const { otherPanels } = await laterPart(() => import("./panels.js"));
      if (!closed) others.value = otherPanels(session);
    },
  ]);
  element.focus({ preventScroll: true });
  return {
    close() {
      closed = true;
      for (const stop of stops) stop();
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

/** @param {Session} session @param {{[name: string]: (session: Session) => unknown}} [others] */
function panel(session, others) {
  const shown = session.panel.value;
  return html`
    <div class="ed-tabs" role="tablist" aria-label=${t("ed_panels")}>
      ${PANELS.map((name) => html`<button type="button" role="tab" id=${`ed-tab-${name}`} aria-selected=${String(name === shown)} tabindex=${name === shown ? 0 : -1}
        @click=${() => { session.panel.value = name; }} @keydown=${(/** @type {KeyboardEvent} */ event) => moveTab(event, session)}>${t(`ed_panel_${name}`)}</button>`)}
    </div>
    <div class="ed-groups">
      <div data-group="cut">${toolOptions(session)}</div>
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
