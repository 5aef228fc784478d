// The dialogs that create, limit and revoke a key.
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { say } from "../app/announce.js";
import { openDialog } from "../app/dialog.js";
import { t } from "../app/i18n/index.js";
import { ask } from "./api.js";
import { keyTitle, problem } from "./parts.js";
import { keys } from "./state.js";

/** @typedef {import("./api.js").Key} Key */

const SCOPES = ["remove", "jobs", "admin"];
const KEYS = "/api/admin/keys";

/**
 * A dialog with a form whose answer is awaited; an error is shown in it.
 * @param {string} title @param {unknown} content @param {{button: string, danger?: boolean, source?: {load(): Promise<void>}}} does `source` is loaded again afterwards
 * @param {(form: FormData, dialog: HTMLDialogElement) => Promise<void>} send
 */
export function formDialog(title, content, { button, danger = false, source = keys }, send) {
  return openDialog((dialog) => html`<form class="admin-form" @submit=${(/** @type {SubmitEvent} */ event) => submit(event, () => send(new FormData(/** @type {HTMLFormElement} */ (event.target)), dialog), source)}>
    <h2>${title}</h2>${content}
    <div class="trouble" role="alert"></div>
    <button class="button ${danger ? "danger" : "primary"}">${button}</button>
  </form>`, { label: title });
}

/** @param {SubmitEvent} event @param {() => Promise<void>} send @param {{load(): Promise<void>}} source */
async function submit(event, send, source) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button:not([type])"));
  const trouble = /** @type {HTMLElement} */ (form.querySelector(".trouble"));
  button.disabled = true;
  render(nothing, trouble);
  try {
    await send();
    await source.load();
  } catch (error) {
    render(problem(/** @type {import("./api.js").ApiError} */ (error)), trouble);
    button.disabled = false;
  }
}

/** @param {string} name @param {string} value @param {string} hint */
function field(name, value, hint) {
  return html`<label class="field"><span>${t(name)}</span><input name=${name} .value=${value} autocomplete="off" spellcheck="false"><small>${hint}</small></label>`;
}

/** @param {FormData} form */
function limits(form) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  return { rate_limit: text("rate_limit") || null, monthly_quota: text("monthly_quota") ? Number(text("monthly_quota")) : null };
}

/** @param {Key} [key] */
function limitFields(key) {
  return html`<label class="field"><span>${t("monthly_quota")}</span><input name="monthly_quota" type="number" min="0" step="1" .value=${String(key?.monthly_quota ?? "")}><small>${t("quota_hint")}</small></label>
    ${field("rate_limit", key?.rate_limit ?? "", t("rate_hint"))}`;
}

export function createKey() {
  return formDialog(t("new_key"), html`
    <label class="field"><span>${t("key_name")}</span><input name="name" required maxlength="64" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" autocomplete="off" spellcheck="false" autofocus><small>${t("name_hint")}</small></label>
    ${field("owner", "", t("owner_hint"))}
    <fieldset class="checks"><legend>${t("scopes")}</legend>${SCOPES.map((scope) => html`<label class="switch"><input type="checkbox" name="scopes" value=${scope} ?checked=${scope !== "admin"}>${t(`scope_${scope}`)}</label>`)}</fieldset>
    ${limitFields()}`, { button: t("create") }, async (form, dialog) => {
    const body = { name: String(form.get("name")).trim(), owner: String(form.get("owner")).trim(), scopes: form.getAll("scopes"), ...limits(form) };
    const made = await ask(KEYS, { method: "POST", body });
    dialog.close("done");
    showOnce(t("key_made", { name: made.name }), t("key_once"), made.key);
  });
}

/** Show a secret that the server does not keep. @param {string} title @param {string} text @param {string} secret */
export function showOnce(title, text, secret) {
  return openDialog((dialog) => html`<div class="admin-form">
    <h2>${title}</h2>
    <p class="soft">${text}</p>
    <output class="secret">${secret}</output>
    <div class="buttons"><button type="button" class="button primary" autofocus @click=${(/** @type {Event} */ event) => copy(secret, event)}>${t("copy")}</button>
      <button type="button" class="button quiet" @click=${() => dialog.close()}>${t("done")}</button></div>
  </div>`, { label: title, name: "secret-dialog" });
}

/** @param {string} secret @param {Event} event */
async function copy(secret, event) {
  const button = /** @type {HTMLElement} */ (event.currentTarget);
  const output = /** @type {HTMLElement} */ (button.closest(".admin-form")?.querySelector(".secret"));
  const selection = getSelection();
  selection?.selectAllChildren(output);
  // Without a secure origin there is no clipboard but the selection's.
  await (navigator.clipboard ? navigator.clipboard.writeText(secret) : Promise.reject()).catch(() => document.execCommand("copy"));
  button.textContent = t("copied");
  say(t("copied"));
}

/** @param {Key} key */
export function limitKey(key) {
  return formDialog(t("change_limits_of", { name: keyTitle(key) }), limitFields(key), { button: t("save") }, async (form, dialog) => {
    await ask(`${KEYS}/${key.id}`, { method: "PATCH", body: limits(form) });
    dialog.close("done");
    say(t("saved"));
  });
}

/** @param {Key} key */
export function revokeKey(key) {
  const text = html`<p class="soft">${t("revoke_text")}</p>${key.images_this_month ? html`<p>${t("revoke_used", { count: key.images_this_month })}</p>` : nothing}`;
  return formDialog(t("revoke_key", { name: keyTitle(key) }), text, { button: t("revoke"), danger: true }, async (_, dialog) => {
    await ask(`${KEYS}/${key.id}`, { method: "DELETE" });
    dialog.close("done");
    say(t("revoked_said", { name: keyTitle(key) }));
  });
}
