// Files as they come in: dropped, with their folders, picked or pasted. Photos may be dropped anywhere on the page.

import { reachable } from "../app/api.js";

/** @typedef {{file: File, path: string}} Found a file and the folder it is in ("" or "a/b/") */

/** The path of a file that is only counted. */
export const HIDDEN_PATH = "\0";
const HIDDEN = /^(\.|Thumbs\.db$|desktop\.ini$|__MACOSX$)/;

const AGAIN_MS = 2000;

/** Take files in; what that needs is loaded with the first of them, as soon as the server answers. @param {Found[]} found */
export async function take(found) {
  const { takeIn } = await loaded();
  await takeIn(found);
}

async function loaded() {
  for (;;) {
    try {
      return await import("./actions.js");
    } catch {
      reachable.value = false;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** Load what photos need while nothing else happens, so that it is there when the server is not. */
export function prepare() {
  import("./actions.js").catch(() => undefined);
  import("./batch.js").catch(() => undefined);
}

/** The files of a drop, with those of dropped folders. @param {DataTransfer} transfer @returns {Promise<Found[]>} */
export async function droppedFiles(transfer) {
  // The entries are only there while the event is handled.
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? null);
  const files = [...transfer.files];
  if (!entries.length || entries.some((entry) => !entry)) return files.map((file) => ({ file, path: "" }));
  /** @type {Found[]} */
  const found = [];
  for (const entry of entries) await walk(/** @type {FileSystemEntry} */ (entry), "", found);
  return found;
}

/** @param {FileSystemEntry} entry @param {string} path @param {Found[]} found */
async function walk(entry, path, found) {
  if (path && HIDDEN.test(entry.name)) found.push({ file: new File([], entry.name), path: HIDDEN_PATH });
  else if (entry.isFile) {
    const file = await new Promise((resolve) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, () => resolve(null)));
    if (file) found.push({ file, path });
  } else {
    for (const child of await children(/** @type {FileSystemDirectoryEntry} */ (entry))) await walk(child, `${path}${entry.name}/`, found);
  }
}

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<FileSystemEntry[]>} */
async function children(folder) {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  for (;;) {
    // Chromium gives at most 100 entries at a time.
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return all;
    all.push(...some);
  }
}

/** The files of an input or the clipboard. @param {FileList|File[]} files @returns {Found[]} */
export function pickedFiles(files) {
  return [...files].map((file) => {
    const folder = (file.webkitRelativePath ?? "").split("/").slice(0, -1);
    const hidden = folder.some((part) => HIDDEN.test(part)) || (folder.length > 0 && HIDDEN.test(file.name));
    return { file, path: hidden ? HIDDEN_PATH : folder.map((part) => `${part}/`).join("") };
  });
}

export function startDrops() {
  let inside = 0;
  /** @param {DragEvent} event */
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => { if (hasFiles(event)) mark(inside += 1); });
  addEventListener("dragleave", (event) => { if (hasFiles(event)) mark(inside = Math.max(0, inside - 1)); });
  addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener("drop", async (event) => {
    if (!event.dataTransfer || !hasFiles(event)) return;
    event.preventDefault();
    mark(inside = 0);
    take(await droppedFiles(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) take(pickedFiles(files));
  });
}

/** @param {number} inside */
function mark(inside) {
  document.documentElement.classList.toggle("dragging", inside > 0);
}
