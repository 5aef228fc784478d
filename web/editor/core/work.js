/** What takes longer than a frame: run by the worker, or here where the browser gives none. Each part is loaded when it is used. */
import { deflate } from "./streams.js";

/** @typedef {typeof import("./search.js")} Search */

const search = () => import("./search.js");

export const work = {
  /** @param {Uint8Array} bytes */
  deflate,

  /** Have all parts but those that every photo needs. */
  async load() {
    await Promise.all([search(), import("./region.js"), import("./whole.js")]);
  },

  /** The subject's own colours along its soft edge. @param {Parameters<typeof import("../gl/colours.js").cleanColours>[0]} cells */
  cleanColours: async (cells) => (await import("../gl/colours.js")).cleanColours(cells),

  /** @param {Parameters<Search["open"]>} parts */
  open: async (...parts) => (await search()).open(...parts),

  prepare: async () => (await search()).prepare(),

  /** @param {Parameters<Search["wand"]>} parts */
  wand: async (...parts) => (await search()).wand(...parts),

  /** @param {Parameters<Search["enlarge"]>} parts */
  enlarge: async (...parts) => (await search()).enlarge(...parts),

  /** @param {Parameters<Search["edge"]>} parts */
  edge: async (...parts) => (await search()).edge(...parts),

  /** @param {Parameters<typeof import("./region.js").shaped>} parts */
  shape: async (...parts) => (await import("./region.js")).shaped(...parts),

  /** @param {"invert" | "fillHoles" | "dropSpecks" | "contrast" | "feather"} name @param {import("./whole.js").Plane} plane @param {number} amount */
  whole: async (name, plane, amount) => (await import("./whole.js"))[name](plane, amount),
};
