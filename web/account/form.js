// One form: its fields, a button, and what went wrong with it.
import { html } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { has, t } from "../app/i18n/index.js";

/** The error or the notice of the form that was sent last. @type {import("../vendor/signals/signals-core.js").Signal<{form: string, text: string, wrong: boolean}|undefined>} */
export const outcome = signal(/** @type {any} */ (undefined));
/** The forms that are being sent. */
const busy = signal(/** @type {ReadonlySet<string>} */ (new Set()));
let leave = () => {};

/** Call this when the server says that nobody is signed in any more. @param {() => void} left */
export function onSignedOut(left) { leave = left; }

/** @typedef {{name: string, label: string, type?: string, autocomplete?: AutoFill, optional?: boolean, least?: number, pattern?: string}} Field */

/**
 * @param {string} name @param {Field[]} fields @param {string} button
 * @param {(values: {[name: string]: string}) => Promise<string|void>} send resolves to a notice
 * @param {string} [kind] of the button
 */
export function form(name, fields, button, send, kind = "primary") {
  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    const element = /** @type {HTMLFormElement} */ (event.target);
    const values = Object.fromEntries([...new FormData(element)].map(([field, value]) => [field, String(value)]));
    busy.value = new Set([...busy.value, name]);
    outcome.value = undefined;
    await tried(name, async () => {
      const text = await send(values);
      element.reset();
      if (text) outcome.value = { form: name, text, wrong: false };
    });
    busy.value = new Set([...busy.value].filter((sent) => sent !== name));
  };
  return html`<form @submit=${submit} name=${name}>
    ${fields.map((field) => html`<label class="field">${t(field.label)}
      <input name=${field.name} type=${field.type ?? "text"} autocomplete=${field.autocomplete ?? "off"} ?required=${!field.optional}
        minlength=${field.least ?? 0} maxlength="256" pattern=${field.pattern ?? ".*"} spellcheck="false" autocapitalize="none"></label>`)}
    ${status(name)}
    <button class="button ${kind}" ?disabled=${busy.value.has(name)}>${t(button)}</button>
  </form>`;
}

/** What came of a form. @param {string} name */
export function status(name) {
  const shown = outcome.value?.form === name ? outcome.value : undefined;
  return html`<p class=${shown?.wrong ? "wrong" : "soft"} role="status">${shown?.text ?? ""}</p>`;
}

/** Do something, and show beside this form why it did not work. @param {string} name @param {() => Promise<unknown>} work */
export async function tried(name, work) {
  try {
    await work();
  } catch (error) {
    const { code } = /** @type {{code?: string}} */ (error);
    const text = await said(/** @type {any} */ (error));
    if (code === "not_signed_in") leave();
    outcome.value = { form: code === "not_signed_in" ? "sign_in" : name, text, wrong: true };
  }
}

/** What went wrong, in this page's words or in those for every page. @param {{code?: string}} error */
async function said(error) {
  const known = `wrong_${error.code}`;
  return has(known) ? t(known) : (await import("../library/failures.js")).errorText(error);
}
