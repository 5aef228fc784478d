/** The tools of a document by their names, and what is announced for each step. */
import { signal } from "../../vendor/signals/signals-core.js";
import { addMessages, speaker, t } from "../../app/i18n/index.js";
import { studioFacts } from "../../app/api.js";
import { Mask } from "../core/mask.js";
import { en } from "../i18n/tools_en.js";
import { painted } from "../look.js";
import { Brush, warmUp } from "./brush.js";
import { Context } from "./context.js";
import { ObjectTool } from "./object.js";
import { Box, Outline } from "./outline.js";
import { SmartBrush } from "./smart.js";
import { Wand } from "./wand.js";

addMessages("en", en);

/** @typedef {import("./context.js").Tool} Tool */

/** Until then tools have their copy of the photo. */
const READY_MS = 500;
const WARM_MS = 1000;

/** @param {import("./context.js").Parts & {facts?: import("../../app/api.js").StudioFacts | null}} parts @returns {Map<string, Tool>} */
export function createTools(parts) {
  const context = new Context(parts);
  const { document, say } = parts;
  const smart = new SmartBrush(context);
  /** @type {Tool[]} */
  const made = [
    new Brush(context), smart, new Wand(context), new Outline(context, "lasso"), new Outline(context, "polygon"),
    new Box(context, "rectangle"), new Box(context, "ellipse"), still("hand"), still("zoom"),
  ];
  const tools = new Map(made.map((tool) => [tool.name, tool]));
  offerObject(tools, context, parts.facts);
  document.history.onChange((entry, what) => {
    if (entry) say(stepText(entry, what, document.history.depth));
  });
  // The picture is seen before the tools get ready.
  const idle = painted().then(idleTime);
  context.ready = idle.then(() => openPhoto(document));
  idle.then(() => warmUp(Mask));
  // Later than the first strokes of the brush, which it would slow down.
  context.ready.then(() => smart.warmUpIn(WARM_MS));
  // There when the server is not.
  idle.then(() => Promise.all([import("../gl/shadow.js"), import("../gl/blurred.js")])).catch(() => undefined);
  return tools;
}

/** @returns {Promise<unknown>} */
function idleTime() {
  return new Promise((done) => { if ("requestIdleCallback" in globalThis) requestIdleCallback(done, { timeout: READY_MS }); else setTimeout(done, READY_MS); });
}

/** Tools that only move the view: the pointers do that. @param {string} name @returns {Tool} */
function still(name) {
  const nothing = () => {};
  return { name, pending: signal(false), begin: nothing, move: nothing, end: nothing, cancel: nothing };
}

/** Objects can be clicked where the service has a model for it. @param {Map<string, Tool>} tools @param {Context} context
 * @param {import("../../app/api.js").StudioFacts | null} [known] */
async function offerObject(tools, context, known) {
  const add = (/** @type {import("../../app/api.js").StudioFacts | null} */ facts) => {
    const model = facts?.models.find(({ takes_prompt }) => takes_prompt);
    if (model) tools.set("object", new ObjectTool(context, model.name));
  };
  add(known ?? (await studioFacts().catch(() => null)));
}

/** Give the worker its copy of the photo. @param {import("../document.js").EditorDocument} document */
async function openPhoto({ photo, work, width, height }) {
  const copy = await createImageBitmap(photo).catch(() => null);
  if (copy) await work.open(copy, width, height);
}

/** @param {import("../core/history.js").Entry} entry @param {import("../core/history.js").What} what @param {number} depth */
export function stepText({ change }, what, depth) {
  const percent = Math.abs(100 * change);
  const share = speaker().number(percent, { maximumFractionDigits: percent < 0.1 ? 3 : 1 });
  if (what === "undo" || what === "redo") return t(`tool_${what}`, { share, depth });
  return t(change < 0 ? "tool_erased" : "tool_restored", { share, depth });
}
