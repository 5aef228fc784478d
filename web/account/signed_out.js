// For people who are not signed in: sign in, register, a forgotten password, and the links in emails.
import { html } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { has, t } from "../app/i18n/index.js";
import * as calls from "./calls.js";
import { form, outcome } from "./form.js";

const EMAIL = /** @type {const} */ ({ name: "email", label: "email", type: "email", autocomplete: "username" });
const PASSWORD = /** @type {const} */ ({ name: "password", label: "password", type: "password", autocomplete: "current-password" });
const NEW_PASSWORD = /** @type {const} */ ({ name: "password", label: "new_password", type: "password", autocomplete: "new-password", least: 10 });
const NAME = /** @type {const} */ ({ name: "name", label: "your_name", autocomplete: "name", optional: true });
/** "sign_in", "register" or "forgot". */
const shown = signal("sign_in");
/** The code of the error with which the browser comes back from the provider. */
export const failed = signal("");

/**
 * @param {NonNullable<import("../app/api.js").StudioFacts["accounts"]>} accounts
 * @param {{kind: string, token: string}} link what an email's link carries
 * @param {(account: calls.Account) => void} enter
 */
export function signedOut(accounts, link, enter) {
  if (accounts.kind === "oidc") return atProvider();
  if (link.kind === "confirm") return withLink("confirm", [PASSWORD], async ({ password }) => enter(await calls.confirm(link.token, password)));
  if (link.kind === "reset") return withLink("reset", [NEW_PASSWORD], async ({ password }) => enter(await calls.reset(link.token, password)));
  if (link.kind === "invite") return withLink("invite", [NAME, NEW_PASSWORD], async ({ name, password }) => enter(await calls.accept(link.token, password, name)));
  if (shown.value === "register") return registration();
  if (shown.value === "forgot") return forgotten();
  return html`<section class="account narrow"><h1>${t("sign_in")}</h1>
    <div class="panel">${form("sign_in", [EMAIL, PASSWORD], "sign_in", async ({ email, password }) => enter(await calls.signIn(email, password)))}</div>
    ${accounts.mail ? switchTo("forgot", "forgot_link") : ""}
    ${accounts.registration ? switchTo("register", "register_link") : html`<p class="soft">${t("ask_operator")}</p>`}
  </section>`;
}

function atProvider() {
  const error = failed.value ? t(has(`wrong_${failed.value}`) ? `wrong_${failed.value}` : "wrong_provider_refused") : outcome.value?.text ?? "";
  return html`<section class="account narrow"><h1>${t("sign_in")}</h1>
    <div class="panel"><p class="wrong" role="status">${error}</p><a class="button primary" href="/api/v1/auth/oidc/login?next=/account">${t("at_provider")}</a></div></section>`;
}

/** @param {string} name @param {import("./form.js").Field[]} fields @param {(values: {[name: string]: string}) => Promise<void>} send */
function withLink(name, fields, send) {
  return html`<section class="account narrow"><h1>${t(`${name}_title`)}</h1><p class="soft">${t(`${name}_lead`)}</p>
    <div class="panel">${form(name, fields, `${name}_button`, send)}</div>
    <p><a href="/account">${t("back")}</a></p></section>`;
}

function registration() {
  return html`<section class="account narrow"><h1>${t("register_title")}</h1><p class="soft">${t("password_rule")}</p>
    <div class="panel">${form("register", [NAME, EMAIL, NEW_PASSWORD], "register_button", async ({ name, email, password }) =>
      t((await calls.register(name, email, password)).mail ? "confirm_follows" : "registered"))}</div>
    ${switchTo("sign_in", "back")}</section>`;
}

function forgotten() {
  return html`<section class="account narrow"><h1>${t("forgot_title")}</h1>
    <div class="panel">${form("forgot", [EMAIL], "forgot_button", async ({ email }) => { await calls.forgot(email); return t("mail_follows"); })}</div>
    ${switchTo("sign_in", "back")}</section>`;
}

/** @param {string} name @param {string} text */
function switchTo(name, text) {
  const go = () => { outcome.value = undefined; shown.value = name; };
  return html`<p><button type="button" class="link" @click=${go}>${t(text)}</button></p>`;
}
