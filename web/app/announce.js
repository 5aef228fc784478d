// The one status region of the page, for people who hear it.
import { signal } from "../vendor/signals/signals-core.js";

/** What was said last; the shell shows it in its status region. */
export const said = signal("");

/** Say a text politely; the same text twice is said twice. @param {string} text */
export function say(text) {
  said.value = said.peek() === text ? `${text}\u00a0` : text;
}
