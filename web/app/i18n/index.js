// The page's texts. A message is a string with {names}, or a function of the values for plurals and dates.
import { signal } from "../../vendor/signals/signals-core.js";
import { en } from "./en.js";

/**
 * @typedef {{[name: string]: any}} Values
 * @typedef {string | ((values: any, say: Speaker) => string)} Message
 * @typedef {{[key: string]: Message}} Messages
 * @typedef {{number(value: number, options?: Intl.NumberFormatOptions): string, plural(count: number, forms: {[form: string]: string}): string,
 *   bytes(value: number): string, pixels(value: number): string, duration(seconds: number): string}} Speaker
 */

const [KILO, MEGA, GIGA] = [1024, 1024 ** 2, 1024 ** 3];
export const LANGUAGES = ["en", "de"];
/** The pseudo-language `xx` of the tests has every text 40 % longer, from right to left. */
const PSEUDO = "xx";
const KEPT = "language";

/** @type {Map<string, Messages>} */
const catalogue = new Map([["en", { ...en }]]);
/** Languages besides English are loaded when they are used. @type {{[name: string]: () => Promise<Messages>}} */
const LOADED = {
  de: async () => (await import("./de.js")).de,
  async [PSEUDO]() { disguised = (await import("./pseudo.js")).disguised; return {}; },
};
/** What the pseudo-language makes of a text. @type {(text: string) => string} */
let disguised = (text) => text;

/** The language in use. */
export const language = signal(preferred());

/** Add the texts of another part of the page. @param {string} name @param {Messages} messages */
export function addMessages(name, messages) {
  catalogue.set(name, { ...catalogue.get(name), ...messages });
}

/** The text of a key in the language in use; in English where it has none. @param {string} key @param {Values} [values] @returns {string} */
export function t(key, values = {}) {
  const message = catalogue.get(language.value)?.[key] ?? catalogue.get("en")?.[key] ?? key;
  return disguised(fill(message, values));
}

/** Whether there is a text. @param {string} key */
export function has(key) {
  return catalogue.get("en")?.[key] !== undefined;
}

/** @param {string} name */
export async function setLanguage(name) {
  await load(name);
  language.value = name;
  remember(name);
  applyLanguage();
}

/** Load the texts of the language that the person or the browser prefers. */
export async function startLanguage() {
  await load(language.peek());
  applyLanguage();
}

/** @param {string} name */
async function load(name) {
  const texts = LOADED[name];
  if (!texts) return;
  delete LOADED[name];
  // What the editor has added stays.
  addMessages(name, await texts());
}

/** The language in which numbers are written. */
function spoken() {
  return language.value === PSEUDO ? "en" : language.value;
}

function applyLanguage() {
  document.documentElement.lang = spoken();
  document.documentElement.dir = language.value === PSEUDO ? "rtl" : "ltr";
}

/** @param {Message} message @param {Values} values */
function fill(message, values) {
  if (typeof message === "function") return message(values, speaker());
  return message.replace(/\{(\w+)\}/g, (mark, key) => {
    const value = values[key];
    return typeof value === "number" ? speaker().number(value) : value === undefined ? mark : String(value);
  });
}

/** @type {Map<string, Speaker>} */
const speakers = new Map();

/** Numbers, plurals and sizes as the language in use writes them. @returns {Speaker} */
export function speaker() {
  const name = spoken();
  const known = speakers.get(name);
  if (known) return known;
  const plurals = new Intl.PluralRules(name);
  /** @type {Speaker["number"]} */
  const number = (value, options) => new Intl.NumberFormat(name, options).format(value);
  /** @type {Speaker} */
  const made = {
    number,
    plural: (count, forms) => (forms[plurals.select(count)] ?? forms.other).replaceAll("#", number(count)),
    bytes(value) {
      // As file managers and the server's limits count: 16 MB are 16 * 1024 * 1024 bytes.
      const [amount, unit] = value >= GIGA ? [value / GIGA, "GB"] : value >= MEGA ? [value / MEGA, "MB"] : [value / KILO, "kB"];
      return `${number(amount, { maximumFractionDigits: amount < 10 ? 1 : 0 })}\u00a0${unit}`;
    },
    pixels: (value) => `${number(value / 1e6, { maximumFractionDigits: value < 1e7 ? 1 : 0 })}\u00a0MP`,
    duration(seconds) {
      const minutes = Math.round(seconds / 60);
      const [amount, unit] = seconds < 60 ? [Math.max(1, Math.round(seconds)), "second"] : minutes < 60 ? [minutes, "minute"] : [minutes / 60, "hour"];
      return number(amount, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: unit === "hour" ? 1 : 0 });
    },
  };
  speakers.set(name, made);
  return made;
}

function preferred() {
  const kept = recall();
  if (kept === PSEUDO || LANGUAGES.includes(kept)) return kept;
  const wanted = (globalThis.navigator?.languages ?? []).map((name) => name.slice(0, 2));
  return wanted.find((name) => LANGUAGES.includes(name)) ?? "en";
}

function recall() {
  try { return localStorage.getItem(KEPT) ?? ""; } catch { return ""; }
}

/** @param {string} name */
function remember(name) {
  try { localStorage.setItem(KEPT, name); } catch { /* not kept */ }
}
