// Errors in plain words, by their code. What the server says of them, in English and for programs, is for the details.
import { signal } from "../vendor/signals/signals-core.js";
import { addMessages, has, speaker, t } from "../app/i18n/index.js";
import { facts } from "../app/api.js";

/** @typedef {import("../app/store.js").DocError} DocError */

/** Answers of a proxy in front of the server, which have no code. @type {{[code: string]: string}} */
const SAME = {
  http_401: "missing_key", http_403: "forbidden", http_413: "upload_too_large", http_415: "unsupported_format",
  http_429: "rate_limited", http_502: "busy", http_503: "busy", http_504: "deadline_exceeded",
};
const LATE_MS = 1000;
/** Whether the texts are there. */
const ready = signal(false);
/** @type {Promise<void>|undefined} */
let loading;

/** Load the texts that few visits need: of errors, pauses, and dialogs. */
export function moreTexts() {
  loading ??= load().catch((error) => { loading = undefined; throw error; });
  return loading;
}

async function load() {
  const [{ en }, { de }] = await Promise.all([import("./i18n/en.js"), import("./i18n/de.js")]);
  addMessages("en", en);
  addMessages("de", de);
  ready.value = true;
}

// While nothing else happens, so that they are there when the server is not.
setTimeout(() => moreTexts().catch(() => undefined), LATE_MS);

/** @param {unknown} error */
function values(error) {
  const { bytes, pixels, side } = facts.value?.limits ?? { bytes: 0, pixels: 0, side: 0 };
  const { retryAfter: wait } = /** @type {{retryAfter?: number}} */ (error ?? {});
  const say = speaker();
  return { wait: wait ? say.duration(wait) : "", bytes: say.bytes(bytes), pixels: say.pixels(pixels), side };
}

/** The code that the texts go by. @param {unknown} error */
function known(error) {
  const { code } = /** @type {{code?: unknown}} */ (error ?? {});
  const name = SAME[String(code)] ?? code;
  return ready.value && has(`error_${name}`) && has(`solution_${name}`) ? name : "unexpected";
}

/** What went wrong. @param {unknown} error */
export function errorTitle(error) {
  return t(`error_${known(error)}`, values(error));
}

/** What to do. @param {unknown} error */
export function errorSolution(error) {
  return ready.value ? t(`solution_${known(error)}`, values(error)) : "";
}

/** What went wrong and what to do, in words. @param {unknown} error */
export async function errorWords(error) {
  await moreTexts().catch(() => undefined);
  return { text: errorTitle(error), solution: errorSolution(error) };
}

/** Both, as one text. @param {unknown} error */
export async function errorText(error) {
  const { text, solution } = await errorWords(error);
  return `${text}. ${solution}`.trim();
}

/** What the server says of it; "" where this page itself found the error. @param {DocError} error */
export function errorFacts({ code, text, details }) {
  const said = [text, details].filter(Boolean).join(": ");
  return said && `${said} (${code})`;
}
