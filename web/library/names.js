// Names of results: alone, and in an archive. Pure.

/** @typedef {import("../app/store.js").Doc} Doc */

/** The name under which a result is saved. @param {Doc} doc @param {string} [type] */
export function resultName({ name, options, result }, type) {
  const format = type ? (type.split("/")[1] ?? "png") : options.format || result?.format || "png";
  return `${name.replace(/\.[^.]+$/, "") || "photo"}-no-bg.${format === "jpeg" ? "jpg" : format}`;
}

/** Names in an archive: the photo's own with its folders, each once. @param {{name: string, path: string}[]} docs @returns {string[]} without their endings */
export function stems(docs) {
  const taken = new Set();
  return docs.map(({ name, path }) => {
    const stem = path + (name.replace(/\.[^.]+$/, "") || "photo");
    let free = stem;
    for (let number = 2; taken.has(free.toLowerCase()); number += 1) free = `${stem} (${number})`;
    taken.add(free.toLowerCase());
    return free;
  });
}
