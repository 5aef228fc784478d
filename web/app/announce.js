// The one status region of the page, for people who hear it, and what is shown besides.
import { signal } from "../vendor/signals/signals-core.js";

/** What was said last; the shell shows it in its status region. */
export const said = signal("");

/** What is shown on top of every view until it is read. */
export const shown = signal("");

/** What is offered on top of a view: to undo. */
export const offer = signal(() => /** @type {unknown} */ (""));

/** Say a text, and show it. @param {string} text */
export function notify(text) {
  shown.value = text;
  say(text);
}

/** Say a text politely; the same text twice is said twice. @param {string} text */
export function say(text) {
  said.value = said.peek() === text ? `${text}\u00a0` : text;
}
