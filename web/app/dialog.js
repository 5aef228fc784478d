// Dialogs on the browser's own <dialog>: focus goes in and comes back.
import { html, render } from "../vendor/lit-html/lit-html.js";
import { t } from "./i18n/index.js";

/**
 * Open a dialog. Resolves with its return value when it is closed ("" by Escape or the close button).
 * @param {import("../vendor/lit-html/lit-html.js").TemplateResult | ((dialog: HTMLDialogElement) => unknown)} template
 * @param {{label?: string, name?: string}} [options] @returns {Promise<string>}
 */
export function openDialog(template, { label, name } = {}) {
  const before = document.activeElement;
  const dialog = document.createElement("dialog");
  dialog.className = `dialog ${name ?? ""}`;
  if (label) dialog.setAttribute("aria-label", label);
  document.body.append(dialog);
  const close = () => dialog.close("");
  render(html`
    <button type="button" class="icon-button dialog-close" aria-label=${t("close")} @click=${close}>${closeIcon()}</button>
    ${typeof template === "function" ? template(dialog) : template}`, dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const value = dialog.returnValue;
      dialog.remove();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      resolve(value);
    });
  });
}

function closeIcon() {
  return html`<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M5 5l10 10M15 5L5 15"/></svg>`;
}
