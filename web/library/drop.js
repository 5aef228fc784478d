// Files as they come in: dropped, with their folders, picked or pasted. Photos may be dropped anywhere on the page.
import { part } from "../app/connection.js";

/** @typedef {File | FileSystemEntry} Dropped */

/** Loaded when it is opened, or a photo is expected. */
export const EDITOR = "../editor/editor.js";

/** Load what a photo that comes alone needs: while it is on its way, or nothing else happens. */
export function expectPhoto() {
  Promise.all([import("./direct.js"), import("../app/model.js")]).catch(() => undefined);
  import(EDITOR).then(({ prepareEditor }) => Promise.all(Object.values(prepareEditor()))).catch(() => undefined);
}

/** Take files in; what that needs is loaded with the first of them, as soon as the server answers. @param {Dropped[]} items */
export async function take(items) {
  const { takeIn } = await part(() => import("./actions.js"));
  await takeIn(items);
}

/** Load what photos need while nothing else happens, so that it is there when the server is not. */
export function prepare() {
  import("./actions.js").catch(() => undefined);
  import("./batch.js").catch(() => undefined);
}

/** Load the editor while nothing else happens, unless the person saves data. */
export function prepareEditing() {
  const { connection } = /** @type {any} */ (navigator);
  if (!connection?.saveData) (globalThis.requestIdleCallback ?? setTimeout)(expectPhoto);
}

/** What is dropped: files, or entries where folders are among them. They are only there while the event is handled. @param {DataTransfer} transfer @returns {Dropped[]} */
export function dropped({ items, files }) {
  const entries = [...items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? null);
  return entries.some((entry) => entry?.isDirectory) ? entries.flatMap((entry) => entry ?? []) : [...files];
}

export function startDrops() {
  let inside = 0;
  /** @param {DragEvent} event */
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    mark(inside += 1);
    // A photo alone opens in the editor.
    if (event.dataTransfer?.items.length === 1) expectPhoto();
  });
  addEventListener("dragleave", (event) => { if (hasFiles(event)) mark(inside = Math.max(0, inside - 1)); });
  addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!event.dataTransfer || !hasFiles(event)) return;
    event.preventDefault();
    mark(inside = 0);
    take(dropped(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) take(files);
  });
}

/** @param {number} inside */
function mark(inside) {
  document.documentElement.classList.toggle("dragging", inside > 0);
}
