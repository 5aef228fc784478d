// The server's API: requests with the person's key, errors as values, results as blobs.
import { signal } from "../vendor/signals/signals-core.js";

/**
 * @typedef {{name: string, purpose: string, takes_prompt: boolean}} Model
 * @typedef {{options?: {[name: string]: unknown}, title?: string, source?: string, date?: string, note?: string} & {[name: string]: unknown}} Preset
 * @typedef {{version: string, build: string, jobs: boolean, auth_required: boolean, default_model: string, models: Model[],
 *   limits: {bytes: number, pixels: number, side: number, batch_files: number, batch_bytes: number, preview_side: number},
 *   quotas: {[path: string]: number} | null, concurrency: number, presets: {[name: string]: Preset},
 *   formats: {accepted: string[], results: string[]}, result_ttl_seconds: number,
 *   accounts?: {kind: "local"|"oidc", registration: boolean, invitations: boolean, mail: boolean, user: string|null} | null}} StudioFacts
 * @typedef {{signal?: AbortSignal}} Abortable
 */

const KEY = "api-key";

/** What went wrong with a request, as the server says it. */
export class ApiError extends Error {
  /** @param {{status: number, code: string, text: string, details?: string, solution?: string, retryAfter?: number, quota?: string}} facts */
  constructor({ status, code, text, details = "", solution = "", retryAfter, quota }) {
    super(text);
    this.status = status;
    this.code = code;
    this.text = text;
    this.details = details;
    this.solution = solution;
    /** Seconds; undefined where the server says nothing. @type {number|undefined} */
    this.retryAfter = retryAfter;
    this.quota = quota;
  }
}

/** Whether the server can be reached; requests that get no answer say no. */
export const reachable = signal(true);

/** Asks the person for a key; resolves to it, or to "" where they decline. @type {(refused: ApiError) => Promise<string>} */
let askForKey = async () => "";

/** @param {(refused: ApiError) => Promise<string>} ask */
export function onKeyNeeded(ask) { askForKey = ask; }

export function apiKey() {
  return read(() => sessionStorage) || read(() => localStorage);
}

/** Use a key from now on; `keep` leaves it on this device when the tab is closed. @param {string} key @param {boolean} [keep] */
export function setApiKey(key, keep = false) {
  store(() => sessionStorage, key);
  store(() => localStorage, keep ? key : "");
}

/** @type {Promise<string>|undefined} */
let asking;

/**
 * The answer to a request, which is a success. Adds the key; asks for one on 401 and repeats the request.
 * @param {string} path @param {RequestInit} [init] @returns {Promise<Response>} @throws {ApiError} or AbortError
 */
export async function request(path, init = {}) {
  for (;;) {
    const key = apiKey();
    const answer = await send(path, init, key);
    if (answer.ok) return answer;
    const error = await errorOf(answer);
    if (answer.status !== 401 || !(await newKey(error, key))) throw error;
  }
}

/** @param {string} path @param {RequestInit} init @param {string} key */
async function send(path, init, key) {
  const headers = new Headers(init.headers);
  if (key) headers.set("X-Api-Key", key);
  try {
    const answer = await fetch(path, { ...init, headers });
    reachable.value = true;
    return answer;
  } catch (error) {
    if (init.signal?.aborted) throw error;
    reachable.value = false;
    throw unreachable();
  }
}

export function unreachable() {
  return new ApiError({ status: 0, code: "unreachable", text: "The server does not answer", retryAfter: 2 });
}

/** Whether there is another key than the refused one. @param {ApiError} error @param {string} refused */
async function newKey(error, refused) {
  if (apiKey() !== refused) return true;
  asking ??= askForKey(error).finally(() => { asking = undefined; });
  return Boolean(await asking);
}

/** The error of an answer. @param {Response} answer */
export async function errorOf(answer) {
  const body = await answer.json().catch(() => ({}));
  return errorFrom(answer.status, body, answer.headers.get("Retry-After"));
}

/** Whether the server does not have it any more. @param {unknown} error */
export function isGone(error) {
  return error instanceof ApiError && (error.status === 404 || error.status === 410);
}

/** @param {number} status @param {any} body @param {string|null} retryAfter */
export function errorFrom(status, body, retryAfter) {
  const seconds = retryAfter === null ? NaN : Number(retryAfter);
  return new ApiError({
    status,
    code: body.code ?? `http_${status}`,
    text: body.error ?? `The server answered ${status}`,
    // The operator finds our own failures by their request.
    details: [body.details, status >= 500 && body.request_id].filter(Boolean).join(" "),
    solution: body.solution ?? "",
    retryAfter: Number.isFinite(seconds) ? seconds : undefined,
  });
}

/** @type {Promise<StudioFacts>|undefined} */
let facts;

/** What this server offers, asked once. @returns {Promise<StudioFacts>} */
export function studioFacts() {
  facts ??= request("/studio.json").then((answer) => answer.json()).catch((error) => { facts = undefined; throw error; });
  return facts;
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
  return new File([blob], name, { type: blob.type });
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

/** A crop's matte from its photo and a trimap (0 and 255 sure, 128 unknown). @param {Blob} crop @param {Blob} mask @param {string} edges @param {Abortable} [more] */
export async function refine(crop, mask, edges, { signal: aborted } = {}) {
  const body = form({ file: named(crop, "crop.png"), mask, edges });
  return (await request("/refine", { method: "POST", body, signal: aborted, headers: { Accept: "image/png" } })).blob();
}

/** @param {() => Storage} storage */
function read(storage) {
  try { return storage().getItem(KEY) ?? ""; } catch { return ""; }
}

/** @param {() => Storage} storage @param {string} key */
function store(storage, key) {
  try {
    if (key) storage().setItem(KEY, key);
    else storage().removeItem(KEY);
  } catch { /* not kept */ }
}
