// Edits that were saved, and that neither the list nor the server had when the tab was closed.
import { hrefOf, route } from "../app/router.js";
import { all, peek } from "../app/store.js";

/** Make results with them. @param {string[]} mine documents that are this tab's */
export async function recover(mine) {
  const { remakeEdit } = await import("./remake.js");
  for (const id of mine) if (peek(id)?.stale) remakeEdit(id).catch(() => undefined);
  for (const { id, draft } of all()) if (draft) await handOver(id).catch(() => undefined);
}

/** @param {string} id */
async function handOver(id) {
  const [{ savedState }, { encode }, { keepEdit }, { exportOptions }] = await Promise.all([
    import("../editor/autosave.js"), import("../editor/core/png8.js"), import("../editor/keep.js"), import("../editor/options.js")]);
  const saved = await savedState(id);
  // An open editor hands it over when it is left.
  const isOpen = hrefOf(route.peek()) === hrefOf({ name: "edit", id });
  if (saved && !isOpen) await keepEdit(id, await encode(saved.mask), exportOptions(saved.options));
}
