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
 */

const KEY = "api-key";
const FACTS_AGAIN_MS = 2000;

/** What went wrong with a request, as the server says it. */
export class ApiError extends Error {
  /** @param {{status: number, code: string, text: string, details?: string, solution?: string, retryAfter?: number}} facts */
  constructor({ status, code, text, details = "", solution = "", retryAfter }) {
    super(text);
    this.status = status;
    this.code = code;
    this.text = text;
    this.details = details;
    this.solution = solution;
    /** Seconds; undefined where the server says nothing. @type {number|undefined} */
    this.retryAfter = retryAfter;
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

/** What this server offers, once it has said so. @type {import("../vendor/signals/signals-core.js").Signal<StudioFacts|undefined>} */
export const facts = signal(/** @type {StudioFacts|undefined} */ (undefined));
/** @type {Promise<StudioFacts>|undefined} */
let factsAsked;

/** What this server offers, asked once. @returns {Promise<StudioFacts>} */
export function studioFacts() {
  factsAsked ??= request("/studio.json").then(async (answer) => facts.value = await answer.json()).catch((error) => { factsAsked = undefined; throw error; });
  return factsAsked;
}

/** What this server offers, asked until it answers. @returns {Promise<StudioFacts>} */
export async function knownFacts() {
  for (;;) {
    try {
      return await studioFacts();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, FACTS_AGAIN_MS));
    }
  }
}

/** The options that a preset stands for. @param {Preset} preset @returns {{[name: string]: string}} */
export function optionsOf(preset) {
  const options = preset.options ?? preset;
  return Object.fromEntries(Object.entries(options).filter(([, value]) => typeof value !== "object").map(([name, value]) => [name, String(value)]));
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
