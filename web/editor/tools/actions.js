/** What is done to the whole mask, each as one step. */
import { matte } from "../../app/model.js";
import { matteOf, photoOf } from "../../app/photos.js";
import { t } from "../../app/i18n/index.js";
import { decode } from "../core/png8.js";

/** @typedef {import("../document.js").EditorDocument} EditorDocument */
/** @typedef {ReturnType<typeof createActions>} Actions */

/** @param {{document: EditorDocument, say: (text: string) => void}} parts */
export function createActions({ document, say }) {
  const { mask, history, work } = document;

  /** Replace the mask by other levels. @param {string} name @param {Uint8Array} bytes */
  const replace = (name, bytes) => {
    if (document.readOnly.peek()) return null;
    const transaction = history.begin(name);
    mask.tiles.forEach((_, n) => transaction.touch(n));
    const rect = { x: 0, y: 0, width: mask.width, height: mask.height };
    mask.write(rect, bytes);
    mask.changed(rect);
    return transaction.commit() ?? void say(t("tool_nothing"));
  };

  /** @param {"invert" | "fillHoles" | "dropSpecks" | "contrast" | "feather"} name @param {number} amount */
  const change = async (name, amount = 0) => {
    const revision = mask.revision;
    const bytes = await work.run("whole", name, { width: mask.width, height: mask.height, bytes: mask.toBytes() }, amount);
    // A stroke since then would be lost.
    return mask.revision === revision && !history.open ? replace(name, bytes) : void say(t("tool_changed"));
  };

  /** @param {number} level */
  const full = (level) => replace(level ? "full" : "empty", new Uint8Array(mask.width * mask.height).fill(level));

  return {
    invert: () => change("invert"),
    /** @param {number} px area */
    fillHoles: (px) => change("fillHoles", px),
    /** @param {number} px area */
    dropSpecks: (px) => change("dropSpecks", px),
    /** @param {number} amount 0 to 100 */
    contrast: (amount) => change("contrast", amount),
    /** @param {number} px */
    feather: (px) => change("feather", px),
    full: () => full(255),
    empty: () => full(0),
    /** Go back to the model's own mask. */
    reset: async () => replace("reset", (await decode(await matteOf(document.id))).bytes),
    /** Ask the model once more, where a rectangle is given only there.
     * @param {{model?: string, rect?: import("../core/mask.js").Rect}} [how] */
    detectAgain: async ({ model, rect } = {}) => {
      if (document.readOnly.peek()) return null;
      const roi = rect && `${rect.x}px ${rect.y}px ${rect.x + rect.width}px ${rect.y + rect.height}px`;
      const { matte: found } = await matte(await photoOf(document.id), document.name, { model, roi });
      return replace("detect", (await decode(found)).bytes);
    },
  };
}
