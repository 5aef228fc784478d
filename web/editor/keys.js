/** The stage's keys. Those without Ctrl act only while the stage has the focus, and can be turned off. */
import { html } from "../vendor/lit-html/lit-html.js";
import { notify } from "../app/announce.js";
import * as db from "../app/db.js";
import { openDialog } from "../app/dialog.js";
import { addMessages, t } from "../app/i18n/index.js";
import { Crosshair } from "./crosshair.js";
import { move } from "./filmstrip.js";
import { en } from "./i18n/keys_en.js";
import { MIDDLE } from "./picture.js";
import { createActions } from "./tools/actions.js";

addMessages("en", en);

/** @typedef {import("./pointers.js").Parts & {viewport: any, commands?: Commands}} Parts */
/** @typedef {{export?(): void, showPhoto?(shown: boolean): void, next?(): void, previous?(): void, choose?(name: string): void}} Commands */

/** All that this browser keeps of photos and edits. */
const STORES = /** @type {const} */ (["docs", "photos", "tiles", "history", "outbox", "settings"]);
const OVERLAYS = /** @type {const} */ (["none", "red", "outline", "mask"]);
const SIZE_STEP = 1.1;
const LARGEST = 2000;
const ZOOM_STEP = 1.5;
const WHEEL = 0.002;
const ARROWS = /** @type {{[key: string]: [number, number]}} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });
const TOOLS = /** @type {{[key: string]: string}} */ ({ b: "brush", w: "wand", l: "lasso", p: "polygon", r: "rectangle", g: "object", h: "hand", z: "zoom" });

/** The list that `?` shows: keys, and the text of what they do. */
const LIST = [
  ["B", "keys_b"], ["E", "keys_e"], ["X", "keys_x"], ["S", "keys_s"], ["W", "keys_w"], ["L P", "keys_l"], ["R", "keys_r"], ["G", "keys_g"], ["H", "keys_h"], ["Z", "keys_z"],
  ["[ ]", "keys_size_help"], ["0–9", "keys_opacity_help"], ["Ctrl Z  Ctrl Y", "keys_undo_help"], ["Ctrl 0  Ctrl 1  + −", "keys_zoom_help"], ["Q", "keys_q"], ["O", "keys_o"],
  ["I", "keys_i"], ["Enter  Esc  Backspace", "keys_apply_help"], ["← ↑ → ↓", "keys_arrows_help"], ["K", "keys_k"], ["D", "keys_d"], ["M", "keys_m"], ["Ctrl S", "keys_export_help"],
  ["N V", "keys_photos_help"], ["Del", "keys_delete_help"], ["F", "keys_f"], ["?", "keys_list_help"],
];

/**
 * @param {HTMLElement} editor @param {HTMLElement} element the stage @param {import("./session.js").Session} session
 * @param {KeyboardEvent[]} pressed before this was loaded: they act now @returns {() => void}
 */
export function attachKeys(editor, element, session, pressed) {
  const { tools, settings, viewport, document, overlay, say } = session;
  const commands = {
    export: () => session.exports.download(),
    showPhoto: (/** @type {boolean} */ shown) => { session.compare.photo.value = shown; },
    next: () => move(session.id, 1),
    previous: () => move(session.id, -1),
    choose: (/** @type {string} */ name) => session.choose(name),
  };
  const keys = new Keys(element, { tools, settings, viewport, document, overlay, say, commands });
  const stop = new AbortController();
  const { signal } = stop;
  element.addEventListener("keydown", (event) => keys.down(event), { signal });
  element.addEventListener("keyup", (event) => keys.up(event), { signal });
  element.addEventListener("blur", () => keys.leave(), { signal });
  // Undo and others act in the whole editor, except where text is typed.
  editor.addEventListener("keydown", (event) => keys.outside(event), { signal });
  attachCompare(editor, element, session, signal);
  for (const event of pressed) {
    if (event.type === "keyup") keys.up(event);
    else if (compares(event, session)) continue;
    else if (event.target === element) keys.down(event);
    else keys.outside(event);
  }
  return () => {
    stop.abort();
    session.compare.photo.value = false;
  };
}

/** What moves the split besides its slider. @param {HTMLElement} editor @param {HTMLElement} element @param {import("./session.js").Session} session @param {AbortSignal} signal */
function attachCompare(editor, element, session, signal) {
  const { compare, settings, viewport } = session;
  editor.addEventListener("keydown", (event) => {
    if (!compares(event, session)) return;
    event.preventDefault();
    event.stopPropagation();
  }, { capture: true, signal });
  element.addEventListener("dblclick", () => {
    if (compare.mode.value === "split" && settings.tool.value === "hand") compare.next();
  }, { signal });
  // The slider's handle lies over the stage.
  element.parentElement?.addEventListener("wheel", (event) => {
    if (element.contains(/** @type {Node} */ (event.target))) return;
    event.preventDefault();
    viewport.zoomAt(event.clientX, event.clientY, Math.exp(-event.deltaY * WHEEL));
  }, { passive: false, signal });
}

/** Use a key while comparing: 1 2 3 are before, middle and after. Returns whether the key did something. @param {KeyboardEvent} event @param {import("./session.js").Session} session */
function compares(event, { compare }) {
  const onView = /** @type {HTMLElement} */ (event.target).matches(".ed-stage, .compare-slider");
  if (!onView || compare.mode.value !== "split" || event.ctrlKey || event.metaKey || event.altKey) return false;
  // "Before" shows all of the photo, so the split is on the right.
  const stop = { 1: 100, 2: MIDDLE, 3: 0 }[event.key];
  if (stop !== undefined) compare.at.value = stop;
  return stop !== undefined;
}

/** Ask, then delete all that this browser keeps. */
async function forget() {
  const answer = await openDialog((dialog) => html`<h2>${t("forget_sure")}</h2><p>${t("forget_gone")}</p>
    <button type="button" class="button primary" @click=${() => dialog.close("yes")}>${t("forget")}</button>`, { label: t("forget") });
  if (answer !== "yes") return;
  const { pending, remember } = await import("../library/deletion.js");
  // What the server has still to delete is not forgotten.
  const rest = await pending();
  for (const store of STORES) await db.clear(store);
  await remember(rest);
  location.assign("/");
}

class Keys {
  /** @param {HTMLElement} element @param {Parts} parts */
  constructor(element, parts) {
    this.element = element;
    this.parts = parts;
    this.crosshair = new Crosshair(parts);
    this.actions = createActions(parts);
  }

  /** @param {KeyboardEvent} event */
  down(event) {
    if (event.defaultPrevented) return;
    const done = event.ctrlKey || event.metaKey ? this.#withControl(event) : this.#region(event) || this.#arrow(event) || (this.parts.settings.shortcuts.value && this.#letter(event)) || this.#help(event);
    if (done) event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  outside(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const types = target.matches("input:not([type=range], [type=checkbox], [type=radio]), textarea, select");
    if (event.defaultPrevented || types || !(event.ctrlKey || event.metaKey)) return;
    if (this.#withControl(event)) event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  up(event) {
    if (event.key.toLowerCase() === "o") this.parts.commands?.showPhoto?.(false);
  }

  leave() {
    this.parts.commands?.showPhoto?.(false);
    this.crosshair.cancel();
  }

  /** @param {KeyboardEvent} event */
  #withControl({ key, shiftKey }) {
    const { document, viewport, commands } = this.parts;
    const run = {
      z: () => this.#step(shiftKey ? "redo" : "undo"),
      y: () => this.#step("redo"),
      0: () => viewport.fit(),
      1: () => viewport.actual(),
      "+": () => viewport.zoom(ZOOM_STEP),
      "=": () => viewport.zoom(ZOOM_STEP),
      "-": () => viewport.zoom(1 / ZOOM_STEP),
      s: () => commands?.export?.(),
    }[key.toLowerCase()];
    run?.();
    return Boolean(run && document);
  }

  /** @param {"undo" | "redo"} name */
  #step(name) {
    const { document, say } = this.parts;
    if (document.readOnly?.peek()) return say(t("tool_read_only"));
    if (!document.history[name]()) say(t("tool_nothing"));
  }

  /** Apply, drop, or take back what waits. @param {KeyboardEvent} event */
  #region({ key }) {
    const tool = this.#tool;
    if (key === "Escape") {
      const held = this.crosshair.cancel();
      if (!held && tool?.pending.value) tool.discard?.();
      return true;
    }
    if (!tool?.pending.value) return false;
    const run = { Enter: () => tool.apply?.(), Backspace: () => tool.back?.(), Delete: () => tool.apply?.("erase") }[key];
    run?.();
    return Boolean(run);
  }

  /** @param {KeyboardEvent} event */
  #arrow({ key, shiftKey, altKey }) {
    const arrow = ARROWS[key];
    if (!arrow) return false;
    const step = shiftKey ? 10 : 1;
    if (altKey) this.crosshair.pan(...arrow);
    else this.crosshair.move(arrow[0] * step, arrow[1] * step);
    return true;
  }

  /** @param {KeyboardEvent} event */
  #help({ key }) {
    if (key === "?") showKeys(this.parts.settings);
    return key === "?";
  }

  /** @param {KeyboardEvent} event */
  #letter({ key, code, shiftKey, altKey, repeat }) {
    const { settings, viewport, commands } = this.parts;
    const name = key.toLowerCase();
    if (altKey && !["[", "]"].includes(name)) return false;
    if (/^[0-9]$/.test(name)) return this.#opacity(Number(name) / 10 || 1);
    if (["[", "]", "{", "}"].includes(name) || code === "BracketLeft" || code === "BracketRight") return this.#brush("[{".includes(name) || code === "BracketLeft", shiftKey);
    const tool = TOOLS[name];
    if (tool) return this.#choose(name === "r" && shiftKey ? "ellipse" : tool);
    const run = {
      e: () => { this.#choose(settings.tool.value === "smart" ? "smart" : "brush"); this.#mode("erase"); },
      x: () => this.#mode(settings.mode.value === "erase" ? "restore" : "erase"),
      s: () => this.#choose(settings.tool.value === "smart" ? "brush" : "smart"),
      q: () => { settings.overlay.value = OVERLAYS[(OVERLAYS.indexOf(settings.overlay.value) + 1) % OVERLAYS.length]; },
      o: () => repeat || commands?.showPhoto?.(true),
      i: () => repeat || this.actions.invert(),
      "+": () => viewport.zoom(ZOOM_STEP),
      "-": () => viewport.zoom(1 / ZOOM_STEP),
      k: () => repeat || this.crosshair.pen(),
      d: () => this.crosshair.dab(),
      m: () => this.crosshair.describe(),
      n: () => commands?.next?.(),
      v: () => commands?.previous?.(),
      f: () => this.#fullScreen(),
    }[name];
    run?.();
    return Boolean(run);
  }

  get #tool() {
    return this.parts.tools.get(this.parts.settings.tool.value);
  }

  /** @param {string} name */
  #choose(name) {
    const { tools, settings, commands } = this.parts;
    if (!tools.has(name)) {
      // The one tool that not every server has.
      notify(t("tool_object_missing"));
      return true;
    }
    if (commands?.choose) commands.choose(name);
    else settings.tool.value = name;
    return true;
  }

  /** @param {"erase" | "restore"} mode */
  #mode(mode) {
    this.parts.settings.mode.value = mode;
    this.parts.say(t(`keys_mode_${mode}`));
  }

  /** @param {number} share */
  #opacity(share) {
    this.parts.settings.opacity.value = share;
    this.parts.say(t("keys_opacity", { value: Math.round(100 * share) }));
    return true;
  }

  /** @param {boolean} less @param {boolean} hardness */
  #brush(less, hardness) {
    const { settings, say } = this.parts;
    if (hardness) {
      settings.hardness.value = Math.round(Math.max(0, Math.min(1, settings.hardness.value + (less ? -0.1 : 0.1))) * 100) / 100;
      say(t("keys_hardness", { value: Math.round(100 * settings.hardness.value) }));
      return true;
    }
    const size = settings.size.value;
    const next = less ? Math.min(size - 1, size / SIZE_STEP) : Math.max(size + 1, size * SIZE_STEP);
    settings.size.value = Math.round(Math.max(1, Math.min(LARGEST, next)));
    say(t("keys_size", { value: settings.size.value }));
    return true;
  }

  #fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else (this.element.closest("[role=region]") ?? this.element).requestFullscreen?.().catch(() => {});
  }
}

/** Show the list of keys, with the switch that turns those without Ctrl off. @param {Pick<typeof import("./settings.js"), "shortcuts">} settings */
export function showKeys({ shortcuts }) {
  const change = (/** @type {Event} */ event) => { shortcuts.value = /** @type {HTMLInputElement} */ (event.target).checked; };
  openDialog(html`<h2>${t("keys_title")}</h2>
    <p class="soft">${t("keys_focus")}</p>
    <label class="switch"><input type="checkbox" ?checked=${shortcuts.value} @change=${change}><span>${t("keys_switch")}</span></label>
    <dl class="keys">${LIST.map(([keys, text]) => html`<div><dt>${keys.split("  ").map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${t(text)}</dd></div>`)}</dl>
    <p class="soft">${t("forget_what")}</p>
    <button type="button" class="button" @click=${forget}>${t("forget")}</button>`, { label: t("keys_title"), name: "keys" });
}
