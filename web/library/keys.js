// The dialog that asks for an API key.
import { html } from "../vendor/lit-html/lit-html.js";
import { apiKey, setApiKey } from "../app/api.js";
import { openDialog } from "../app/dialog.js";
import { t } from "../app/i18n/index.js";
import { moreTexts } from "./failures.js";

await moreTexts();

/** A person who gave no key is asked again after a click, as on "Retry", and not by every photo that waits. */
let declined = false;
addEventListener("click", () => { declined = false; });

/** Ask for a key; resolves to "" where the person declines. @param {import("../app/api.js").ApiError} refused @returns {Promise<string>} */
export async function askForKey(refused) {
  if (declined) return "";
  const answer = await openDialog((dialog) => html`<form method="dialog" class="key-form" @submit=${(/** @type {SubmitEvent} */ event) => use(event, dialog)}>
      <h2>${t("key_title")}</h2>
      <p class="soft">${refused.code === "bad_key" ? t("key_wrong") : t("key_text")}</p>
      <label class="field"><span>${t("key")}</span><input name="key" type="password" autocomplete="off" spellcheck="false" required autofocus></label>
      <label class="switch"><input name="keep" type="checkbox">${t("key_keep")}</label>
      <button class="button primary">${t("key_use")}</button>
    </form>`, { label: t("key_title") });
  declined = !answer;
  return answer ? apiKey() : "";
}

/** @param {SubmitEvent} event @param {HTMLDialogElement} dialog */
function use(event, dialog) {
  event.preventDefault();
  const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
  setApiKey(String(form.get("key")).trim(), form.get("keep") !== null);
  dialog.close("used");
}
