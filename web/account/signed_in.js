// For people who are signed in: their usage, their keys, their password, and the end of the account.
import { html } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { language, t } from "../app/i18n/index.js";
import * as calls from "./calls.js";
import { form, status, tried } from "./form.js";

const PASSWORD = /** @type {const} */ ({ name: "password", label: "password", type: "password", autocomplete: "current-password" });
const keys = signal(/** @type {calls.Key[]} */ ([]));
const usage = signal(/** @type {calls.Usage|undefined} */ (undefined));
const secret = signal("");

/** Ask for keys and usage. */
export async function load() {
  [keys.value, usage.value] = await Promise.all([calls.keys().then((found) => found.keys), calls.usage()]);
}

/** Forget what belongs to the person who was signed in. */
export function forget() {
  keys.value = [];
  usage.value = undefined;
  secret.value = "";
}

/** @param {calls.Account} account @param {(account: calls.Account|undefined) => void} enter */
export function signedIn(account, enter) {
  /** @param {boolean} everywhere */
  const leave = (everywhere) => tried("leave", async () => { await calls.signOut(everywhere); enter(undefined); });
  return html`<section class="account"><h1>${t("account")}</h1>
    <div class="panel"><p>${account.name ? `${account.name}, ${account.email}` : account.email}</p>
      <p class="soft">${usage.value ? t("usage_of_month", { images: usage.value.month.images, requests: usage.value.totals.requests }) : ""}</p>
      <div class="buttons"><a class="button primary" href="/">${t("to_photos")}</a>
        ${account.role === "admin" ? html`<a class="button" href="/admin">${t("to_admin")}</a>` : ""}
        <button type="button" class="button" @click=${() => leave(false)}>${t("sign_out")}</button>
        <button type="button" class="button" @click=${() => leave(true)}>${t("sign_out_everywhere")}</button></div>${status("leave")}</div>
    ${ownKeys()}
    ${account.has_password ? html`<div class="panel"><h2>${t("change_password")}</h2><p class="soft small">${t("password_rule")}</p>${passwordForm(enter)}</div>` : ""}
    <div class="panel"><h2>${t("delete_account")}</h2><p class="soft small">${t("delete_lead")}</p>
      ${form("delete", [account.has_password ? PASSWORD : { name: "email", label: "delete_confirm", type: "email", pattern: exactly(account.email) }], "delete_account", async ({ password = "" }) => { await calls.deleteAccount(password); enter(undefined); }, "danger")}</div>
  </section>`;
}

function ownKeys() {
  const create = async (/** @type {{[name: string]: string}} */ { name }) => {
    secret.value = (await calls.createKey(name)).key;
    await load();
  };
  const valid = keys.value.filter((key) => key.state === "valid");
  return html`<div class="panel"><h2>${t("my_keys")}</h2><p class="soft small">${t("keys_lead")}</p>
    ${valid.length ? html`<ul>${valid.map((key) => html`<li><div><strong>${key.name}</strong>
        <p class="soft small">${t("created", { day: day(key.created_at) })} · ${key.last_used_at ? t("last_used", { day: day(key.last_used_at) }) : t("never")}</p></div>
      <button type="button" class="button danger" aria-label=${t("revoke_key", { name: key.name })} @click=${() => tried("key", () => revoke(key))}>${t("revoke")}</button></li>`)}</ul>` : ""}
    ${secret.value ? html`<p>${t("shown_once")}</p><code class="secret">${secret.value}</code>` : ""}
    ${form("key", [{ name: "name", label: "key_name", pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}" }], "create_key", create)}</div>`;
}

/** @param {calls.Key} key */
async function revoke({ id }) {
  // It may have been revoked in another tab, or by the same button.
  await calls.revokeKey(id).catch((error) => { if (error.code !== "key_not_found") throw error; });
  if (secret.value.startsWith(`bgr_${id}_`)) secret.value = "";
  await load();
}

/** The pattern of a field that takes this text alone. @param {string} text */
function exactly(text) {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

/** @param {(account: calls.Account) => void} enter */
function passwordForm(enter) {
  const next = { name: "next", label: "new_password", type: "password", autocomplete: /** @type {const} */ ("new-password"), least: 10 };
  return form("password", [PASSWORD, next], "change_password", async (values) => {
    enter(await calls.changePassword(values.password, values.next));
    return t("password_changed");
  });
}

/** @param {string} moment */
function day(moment) {
  return new Intl.DateTimeFormat(language.value === "xx" ? "en" : language.value, { dateStyle: "medium" }).format(new Date(moment));
}
