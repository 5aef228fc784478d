// One form: its fields, a button, and what went wrong with it.
import { html } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { has, t } from "../app/i18n/index.js";

/** The error or the notice of the form that was sent last. @type {import("../vendor/signals/signals-core.js").Signal<{form: string, text: string, wrong: boolean}|undefined>} */
export const outcome = signal(/** @type {any} */ (undefined));
const busy = signal("");

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
    busy.value = name;
    outcome.value = undefined;
    try {
      const text = await send(values);
      element.reset();
      if (text) outcome.value = { form: name, text, wrong: false };
    } catch (error) {
      outcome.value = { form: name, text: said(/** @type {any} */ (error)), wrong: true };
    } finally {
      busy.value = "";
    }
  };
  const shown = outcome.value?.form === name ? outcome.value : undefined;
  return html`<form @submit=${submit} name=${name}>
    ${fields.map((field) => html`<label class="field">${t(field.label)}
      <input name=${field.name} type=${field.type ?? "text"} autocomplete=${field.autocomplete ?? "off"} ?required=${!field.optional}
        minlength=${field.least ?? 0} maxlength="256" pattern=${field.pattern ?? ".*"} spellcheck="false" autocapitalize="none"></label>`)}
    <p class=${shown?.wrong ? "wrong" : "soft"} role="status">${shown?.text ?? ""}</p>
    <button class="button ${kind}" ?disabled=${busy.value === name}>${t(button)}</button>
  </form>`;
}

/** @param {{code?: string, text?: string, details?: string}} error */
function said(error) {
  const known = `error_${error.code}`;
  return has(known) ? t(known) : [error.text, error.details].filter(Boolean).join(": ");
}
