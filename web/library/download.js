// All results in one ZIP file, and what is known of them as JSON.
import * as api from "../app/api.js";
import { notify } from "../app/announce.js";
import { t } from "../app/i18n/index.js";
import { peek } from "../app/store.js";
import { downloadZip } from "../vendor/client-zip/client-zip.js";
import { packing } from "./bulk.js";
import { errorText } from "./failures.js";
import { resultBlob, saveBlob } from "./results.js";
import { stems } from "./names.js";
import { isCurrent } from "./remake.js";
import { done, targets } from "./overview.js";

/** @typedef {import("../app/store.js").Doc} Doc */

// Larger archives are split: a tab's memory is small.
const PART_BYTES = 512 * 1024 * 1024;
const ARCHIVE = "photos.zip";
const NAMED = 4;

/** Save all results, one run at a time. */
export async function saveAll() {
  const docs = done();
  if (!docs.length || packing.peek()) return;
  const of = docs.length;
  packing.value = { done: 0, of };
  try {
    await downloadAll(docs, (done) => { packing.value = { done, of }; });
  } catch (error) {
    notify(t("download_failed", { reason: await errorText(error) }));
  }
  packing.value = undefined;
}

/** As the server's archive where all of them are there, otherwise packed here. @param {Doc[]} docs @param {(done: number) => void} onPacked */
async function downloadAll(docs, onPacked) {
  if (docs.every((doc) => isCurrent(doc))) await fromServer(docs, onPacked);
  else await packed(docs, onPacked);
}

/** A plain navigation: the browser streams it to disk. @param {Doc[]} docs @param {(done: number) => void} onPacked */
async function fromServer(docs, onPacked) {
  const names = stems(docs);
  const items = docs.map((doc, index) => ({ job_id: doc.job?.id, item_id: doc.job?.item, name: names[index] }));
  let answer;
  try {
    answer = await api.request("/api/archives", { method: "POST", body: JSON.stringify({ items, metadata: false }), headers: { "Content-Type": "application/json" } });
  } catch (error) {
    // An older server, or one that has deleted some of the results.
    if (api.isGone(error) || (error instanceof api.ApiError && error.status === 405)) return packed(docs, onPacked);
    throw error;
  }
  const { url, files } = await answer.json();
  if (files < docs.length) return packed(docs, onPacked);
  const link = document.createElement("a");
  link.href = url;
  link.download = ARCHIVE;
  link.click();
}

/** @param {Doc[]} docs @param {(done: number) => void} onPacked */
async function packed(docs, onPacked) {
  /** @type {{name: string, error: unknown}[]} */
  const missing = [];
  const names = stems(docs);
  const parts = inParts(docs);
  let at = 0;
  for (const [number, part] of parts.entries()) {
    const entries = async function* () {
      for (const doc of part) {
        const name = names[at];
        at += 1;
        const blob = await resultBlob(doc.id).catch((error) => { missing.push({ name, error }); });
        if (blob) yield { name: `${name}.${endingOf(blob)}`, input: blob, lastModified: new Date(doc.addedAt) };
        onPacked(at);
      }
    };
    const archive = await downloadZip(entries()).blob();
    if (missing.length === docs.length) throw missing[0].error;
    saveBlob(archive, parts.length > 1 ? `photos-${number + 1}.zip` : ARCHIVE);
  }
  if (missing.length) notify(t("not_packed", { count: missing.length, names: missing.slice(0, NAMED).map(({ name }) => name).join(", "), reason: await errorText(missing[0].error) }));
}

/** The photos in parts that each fit into one archive. @param {Doc[]} docs @returns {Doc[][]} */
function inParts(docs) {
  /** @type {Doc[][]} */
  const parts = [[]];
  let bytes = 0;
  for (const doc of docs) {
    const size = doc.result?.bytes || 2 * doc.bytes;
    bytes += size;
    if (bytes > PART_BYTES && parts[parts.length - 1].length) { parts.push([]); bytes = size; }
    parts[parts.length - 1].push(doc);
  }
  return parts;
}

/** @param {Blob} blob */
function endingOf({ type }) {
  return { "image/jpeg": "jpg", "image/webp": "webp", "image/avif": "avif", "application/zip": "zip" }[type] ?? "png";
}

/** What is known of each photo. @returns {object[]} */
export function metadata() {
  return targets.peek().flatMap((id) => {
    const doc = peek(id);
    if (!doc) return [];
    const { name, path, state, error, edit, options } = doc;
    // An earlier result does not count for a photo that has failed since.
    const result = state === "failed" ? undefined : doc.result;
    const preset = api.facts.peek()?.presets[options.preset ?? ""];
    return [{
      name, path, status: state, width: result?.width ?? null, height: result?.height ?? null, bytes: result?.bytes || null,
      format: result ? options.format || (preset && api.optionsOf(preset).format) || result.format : null, model: result?.model || null, confidence: result?.confidence ?? null,
      seconds: result?.ms === undefined ? null : result.ms / 1000, edited: Boolean(edit), error: error ? error.code : null,
    }];
  });
}

export function downloadMetadata() {
  saveBlob(new Blob([JSON.stringify(metadata(), null, 2)], { type: "application/json" }), "metadata.json");
}
