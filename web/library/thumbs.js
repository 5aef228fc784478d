// Small pictures for the list, made two at a time and only of photos that are seen.
import { request } from "../app/api.js";
import { all, onForget, patch, peek } from "../app/store.js";
import { hasPhoto, itemUrl, maskOf, photoOf, shownOf } from "../app/photos.js";
import { passes } from "./pace.js";

const AT_ONCE = 2;
const MOST_URLS = 200;
const AGAIN_SECONDS = 5;

/** @type {Worker|undefined} */
let worker;
/** @type {Map<number, (blob?: Blob|null) => void>} */
const waiting = new Map();
let number = 0;

/** A small picture, or with `pixels` a smaller copy; null where the browser can't decode it. @param {{photo: Blob, matte?: Blob, pixels?: number}} asked @returns {Promise<Blob|null|undefined>} undefined where it was not tried */
export function shrink(asked) {
  if (!worker) {
    worker = new Worker(new URL("../workers/thumb.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data: { id, blob } }) => { waiting.get(id)?.(blob); waiting.delete(id); });
    worker.addEventListener("error", stopWorker);
  }
  number += 1;
  const id = number;
  worker.postMessage({ id, ...asked });
  return new Promise((resolve) => waiting.set(id, resolve));
}

/** Stop the worker; what it was asked for is not made. */
function stopWorker() {
  worker?.terminate();
  worker = undefined;
  for (const done of waiting.values()) done();
  waiting.clear();
}

/** Documents whose pictures are wanted, the newest wish first. @type {Set<string>} */
const wanted = new Set();
/** What has been tried, so that a failure is not repeated: id and kind. @type {Set<string>} */
const tried = new Set();
let running = 0;

/** Make the small pictures of a document that is seen. @param {string} id */
export function wantThumbs(id) {
  if (missing(id)) { wanted.add(id); next(); }
}

/** No longer seen. @param {string} id */
export function dropWish(id) {
  wanted.delete(id);
}

/** Make the picture of the result once more, after it has changed. @param {string} id */
export function renewThumb(id) {
  for (const key of tried) if (key.startsWith(`${id}/after`)) tried.delete(key);
  wanted.add(id);
  next();
}

/** @param {string} id @returns {"before"|"after"|undefined} */
function missing(id) {
  const doc = peek(id);
  if (!doc) return undefined;
  if (doc.state === "completed" && doc.thumbKey !== afterKey(doc) && !tried.has(afterKey(doc))) return "after";
  return doc.before || tried.has(`${id}/before`) ? undefined : "before";
}

/** @param {import("../app/store.js").Doc} doc */
function afterKey(doc) {
  return `${doc.id}/after${doc.job?.item} ${doc.job?.revision}`;
}

function next() {
  while (running < AT_ONCE && wanted.size) {
    const id = /** @type {string} */ ([...wanted].pop());
    const kind = missing(id);
    if (!kind) { wanted.delete(id); continue; }
    running += 1;
    const doc = /** @type {import("../app/store.js").Doc} */ (peek(id));
    tried.add(kind === "after" ? afterKey(doc) : `${id}/before`);
    (kind === "after" ? makeAfter(doc) : makeBefore(id)).catch((error) => later(doc, kind, error)).finally(() => { running -= 1; next(); });
  }
}

/** A server that is busy is asked once more. @param {import("../app/store.js").Doc} doc @param {string} kind @param {unknown} error */
function later(doc, kind, error) {
  if (!passes(error)) return;
  setTimeout(() => {
    tried.delete(kind === "after" ? afterKey(doc) : `${doc.id}/before`);
    if (peek(doc.id)) { wanted.add(doc.id); next(); }
  }, (error.retryAfter || AGAIN_SECONDS) * 1000);
}

/** @param {string} id */
async function makeBefore(id) {
  if (!(await hasPhoto(id))) return;
  const blob = await shrink({ photo: await photoOf(id) });
  if (blob) patch(id, { before: blob });
  else if (blob === null) patch(id, { decodes: false });
}

/** @param {import("../app/store.js").Doc} doc */
async function makeAfter(doc) {
  if (doc.job) {
    const answer = await request(`${itemUrl(doc.job, "download")}?preview=1&r=${doc.job.revision}`);
    patch(doc.id, { thumb: await answer.blob(), thumbKey: afterKey(doc) });
    return;
  }
  const matte = await maskOf(doc.id);
  const thumb = await shrink({ photo: await shownOf(doc.id), matte });
  if (thumb) patch(doc.id, { thumb, thumbKey: afterKey(doc) });
}

/** Object URLs, newest last; the oldest are revoked. @type {Map<string, {blob: Blob, version?: string, url: string}>} */
const urls = new Map();

/** The URL of a document's blob. @param {string} key @param {Blob|undefined} blob @param {string} [version] */
export function urlOf(key, blob, version) {
  if (!blob) return "";
  const held = urls.get(key);
  urls.delete(key);
  if (held && held.version === version && held.blob.size === blob.size && held.blob.type === blob.type) {
    urls.set(key, held);
    return held.url;
  }
  if (held) URL.revokeObjectURL(held.url);
  const url = URL.createObjectURL(blob);
  urls.set(key, { blob, version, url });
  if (urls.size > MOST_URLS) revoke(/** @type {string} */ (urls.keys().next().value));
  return url;
}

/** @param {string} key */
function revoke(key) {
  const held = urls.get(key);
  if (held) URL.revokeObjectURL(held.url);
  urls.delete(key);
}

onForget.add((ids) => {
  for (const id of ids) {
    wanted.delete(id);
    revoke(`${id}/before`);
    revoke(`${id}/thumb`);
  }
  if (!all().length) { tried.clear(); stopWorker(); }
});
