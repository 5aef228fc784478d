// The files in folders. Loaded with the first of them.

/** @typedef {import("./intake.js").Found} Found */

/** As a person sorts names: 9 before 10. */
const ORDER = new Intl.Collator(undefined, { numeric: true });
const HIDDEN = /^(\.|Thumbs\.db$|desktop\.ini$|__MACOSX$)/;

/** The files of an intake with folders, without hidden ones. @param {import("./drop.js").Dropped[]} items @returns {Promise<Found[]>} */
export async function filesOfFolders(items) {
  /** @type {Found[]} */
  const found = [];
  for (const item of items) {
    if (item instanceof File) pick(item, found);
    else await walk(item, "", found);
  }
  // Browsers read folders in the order of the disk.
  if (found.some(({ path }) => path)) found.sort((one, other) => ORDER.compare(one.path + one.file.name, other.path + other.file.name));
  return found;
}

/** Take a file of an input, which has its folder in its path. @param {File} file @param {Found[]} found */
function pick(file, found) {
  const folder = (file.webkitRelativePath ?? "").split("/").slice(0, -1);
  const hidden = folder.length > 0 && [...folder, file.name].some((part) => HIDDEN.test(part));
  if (!hidden) found.push({ file, path: folder.map((part) => `${part}/`).join("") });
}

/** @param {FileSystemEntry} entry @param {string} path @param {Found[]} found */
async function walk(entry, path, found) {
  if (path && HIDDEN.test(entry.name)) return;
  if (entry.isFile) {
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
