/** The tools of a document by their names, and what is announced for each step. The brush is there at once; the others follow. */
import { effect, signal } from "../../vendor/signals/signals-core.js";
import { addMessages, speaker, t } from "../../app/i18n/index.js";
import { studioFacts } from "../../app/api.js";
import { part } from "../../app/connection.js";
import { Mask } from "../core/mask.js";
import { en } from "../i18n/tools_en.js";
import { Brush, warmUp } from "./brush.js";
import { Context } from "./context.js";
import { LaterTool } from "./later.js";

addMessages("en", en);

/** @typedef {import("./context.js").Tool} Tool */

const WARM_MS = 1000;

/** Their code, by the tools' names. @type {{[name: string]: (context: Context, model: string) => Promise<Tool>}} */
const LATER = {
  smart: async (context) => new (await import("./smart.js")).SmartBrush(context),
  wand: async (context) => new (await import("./wand.js")).Wand(context),
  lasso: async (context) => new (await import("./outline.js")).Outline(context, "lasso"),
  polygon: async (context) => new (await import("./outline.js")).Outline(context, "polygon"),
  rectangle: async (context) => new (await import("./outline.js")).Box(context, "rectangle"),
  ellipse: async (context) => new (await import("./outline.js")).Box(context, "ellipse"),
  object: async (context, model) => new (await import("./object.js")).ObjectTool(context, model),
};

/**
 * The tools by their names; `arrived` counts those that were loaded, and `all` loads the rest, one after another.
 * @param {import("./context.js").Parts & {facts?: import("../../app/api.js").StudioFacts | null, idle: Promise<unknown>}} parts `idle` resolves when nothing else happens
 */
export function createTools(parts) {
  const context = new Context(parts);
  const { document, settings, say } = parts;
  /** @type {Map<string, Tool>} */
  const tools = new Map([new Brush(context), still("hand"), still("zoom")].map((tool) => [tool.name, tool]));
  const arrived = signal(0);
  const offer = (/** @type {string} */ name, model = "") => tools.set(name, new LaterTool(name, () => part(() => LATER[name](context, model)), (tool) => {
    tools.set(name, tool);
    arrived.value = arrived.peek() + 1;
  }));
  for (const name of Object.keys(LATER)) if (name !== "object") offer(name);
  const offered = offerObject(offer, parts.facts);
  document.history.onChange((entry, what) => {
    if (entry) say(stepText(entry, what, document.history.depth));
  });
  context.ready = parts.idle.then(() => openPhoto(document));
  const stop = effect(() => { const tool = tools.get(settings.tool.value); if (tool instanceof LaterTool) tool.load().catch(() => undefined); });
  const all = async () => {
    await parts.idle;
    warmUp(Mask);
    await offered;
    for (const tool of [...tools.values()]) if (tool instanceof LaterTool) await tool.load();
    // Later than the first strokes of the brush, which it would slow down.
    context.ready.then(() => /** @type {import("./smart.js").SmartBrush} */ (tools.get("smart")).warmUpIn(WARM_MS));
  };
  return { tools, arrived, all, stop };
}

/** Tools that only move the view: the pointers do that. @param {string} name @returns {Tool} */
function still(name) {
  const nothing = () => {};
  return { name, pending: signal(false), begin: nothing, move: nothing, end: nothing, cancel: nothing };
}

/** Objects can be clicked where the service has a model for it. @param {(name: string, model: string) => unknown} offer
 * @param {import("../../app/api.js").StudioFacts | null} [known] */
async function offerObject(offer, known) {
  const facts = known ?? (await studioFacts().catch(() => null));
  const model = facts?.models.find(({ takes_prompt }) => takes_prompt);
  if (model) offer("object", model.name);
}

/** Give the worker its copy of the photo, which it keeps: each attempt has its own. @param {import("../document.js").EditorDocument} document */
function openPhoto({ photo, work, width, height }) {
  return part(async () => {
    const copy = await createImageBitmap(photo).catch(() => null);
    if (copy) await work.open(copy, width, height);
  });
}

/** @param {import("../core/history.js").Entry} entry @param {import("../core/history.js").What} what @param {number} depth */
export function stepText({ change }, what, depth) {
  const percent = Math.abs(100 * change);
  const share = speaker().number(percent, { maximumFractionDigits: percent < 0.1 ? 3 : 1 });
  if (what === "undo" || what === "redo") return t(`tool_${what}`, { share, depth });
  return t(change < 0 ? "tool_erased" : "tool_restored", { share, depth });
}
