// What the server makes of a photo: the model's matte, a picture composed with it, finer edges. Loaded when one of them is needed.
import { request } from "./api.js";
import { keep, photoOf, pictures } from "./photos.js";
import { peek } from "./store.js";

/** @typedef {{signal?: AbortSignal}} Abortable */

/** Kinds of photos that most browsers do not show: the server makes a picture of them. */
const NOT_SHOWN = /hei[cf]|tiff/;
/** What the model's answer said besides the matte. @type {Map<string, {confidence?: number, ms: number}>} */
export const facts = new Map();

/** Ask for a document's matte, and keep it. @param {string} id @param {Abortable} more */
export async function askMatte(id, { signal }) {
  const doc = peek(id);
  const photo = await photoOf(id);
  const began = performance.now();
  const zip = doc?.decodes === false || NOT_SHOWN.test(doc?.type ?? photo.type);
  const found = await matte(photo, doc?.name ?? "photo", { signal, model: doc?.options.model, zip });
  if (found.photo) pictures.set(id, found.photo);
  // Seen first, kept then.
  keep(id, { photo, shown: found.photo, matte: found.matte });
  facts.set(id, { confidence: found.confidence, ms: Math.round(performance.now() - began) });
  return found.matte;
}

/** @param {{[name: string]: unknown}} fields */
function form(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof File) body.append(name, value, value.name);
    else if (value instanceof Blob) body.append(name, value, name);
    else if (value !== undefined && value !== null && value !== "") body.append(name, String(value));
  }
  return body;
}

/** @param {Blob} blob @param {string} name */
function named(blob, name) {
  return blob instanceof File && blob.name === name ? blob : new File([blob], name, { type: blob.type });
}

/**
 * The photo's matte, by the server's model. With `zip` also the upright photo, for one that the browser can't decode.
 * @param {Blob} photo @param {string} name @param {{model?: string, zip?: boolean, roi?: string, prompt?: string} & Abortable} [options]
 * @returns {Promise<{matte: Blob, photo?: Blob, confidence?: number, model?: string, ms?: number}>}
 */
export async function matte(photo, name, { signal: aborted, zip, ...options } = {}) {
  const body = form({ file: named(photo, name), ...options, format: zip ? "zip" : undefined });
  const answer = await request("/matte", { method: "POST", body, signal: aborted, headers: { Accept: zip ? "application/zip" : "image/png" } });
  const said = answer.headers.get("X-Confidence");
  const confidence = said === null ? undefined : Number(said);
  const blob = await answer.blob();
  if (!zip) return { matte: blob, confidence };
  const { unzip } = await import("./unzip.js");
  const files = await unzip(blob);
  return { matte: /** @type {Blob} */ (files.get("alpha.png")), photo: files.get("color.jpg"), confidence };
}

/**
 * The picture made of photo, mask and options, exactly as every other caller gets it.
 * @param {Blob} photo @param {string} name @param {Blob|undefined} mask @param {{[name: string]: unknown}} options @param {Abortable} [more]
 */
export async function compose(photo, name, mask, options, { signal: aborted } = {}) {
  const body = form({ file: named(photo, name), ...options, mask });
  const answer = await request("/compose", { method: "POST", body, signal: aborted, headers: { Accept: "image/*" } });
  return { blob: await answer.blob(), headers: answer.headers };
}

/** The photo as a JPEG, for browsers that can't show it. @param {string} id */
export async function jpegOf(id) {
  return (await compose(await photoOf(id), peek(id)?.name ?? "photo", undefined, { format: "jpeg", quality: "95" })).blob;
}

/** A crop's matte from its photo and a trimap (0 and 255 sure, 128 unknown). @param {Blob} crop @param {Blob} mask @param {string} edges @param {Abortable} [more] */
export async function refine(crop, mask, edges, { signal: aborted } = {}) {
  const body = form({ file: named(crop, "crop.png"), mask, edges });
  return (await request("/refine", { method: "POST", body, signal: aborted, headers: { Accept: "image/png" } })).blob();
}
