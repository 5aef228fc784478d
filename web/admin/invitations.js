// Open invitations: who may still make an account, invite somebody, withdraw.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { say } from "../app/announce.js";
import { LANGUAGES, language, t } from "../app/i18n/index.js";
import { icon } from "../library/icons.js";
import { ask } from "./api.js";
import { ago, date, dialog, heading, waiting } from "./parts.js";
import { invitations } from "./state.js";

/** @typedef {import("./api.js").Invitation} Invitation */

const INVITATIONS = "/api/admin/invitations";
const ROLES = ["user", "admin"];

export function invitationsSection() {
  const loaded = invitations.state.value;
  const open = loaded.data?.invitations ?? [];
  return html`${heading(t("invitations"), html`<button type="button" class="button primary" @click=${invite}>${t("new_invitation")}</button>`)}
    ${waiting(loaded)}
    ${loaded.data && !open.length ? html`<p class="panel nothing soft">${t("no_invitations")}</p>` : nothing}
    <ul class="rows">${[...open].reverse().map(row)}</ul>`;
}

/** @param {Invitation} invitation */
function row(invitation) {
  return html`<li class="panel key invitation" aria-label=${invitation.email}>
    <div class="who"><h2>${invitation.email}</h2>
      <p class="soft small">${t("invited", { time: ago(invitation.created_at), who: inviter(invitation) })} · ${t("expires", { date: date(invitation.expires_at) })}</p>
      <p class="scopes"><span class="badge">${t(`role_${invitation.role}`)}</span></p></div>
    <div class="buttons"><button type="button" class="icon-button danger" aria-label=${t("withdraw_from", { email: invitation.email })} title=${t("withdraw")} @click=${() => withdraw(invitation)}>${icon("remove")}</button></div>
  </li>`;
}

/** @param {Invitation} invitation */
function inviter({ invited_by: id, invited_by_name: name }) {
  return id ? name ?? t("unknown", { id }) : t("command_line");
}

function invite() {
  return dialog(({ formDialog, showOnce }) => formDialog(t("new_invitation"), html`
    <label class="field"><span>${t("invited_email")}</span><input name="email" type="email" required maxlength="254" autocomplete="off" spellcheck="false" autofocus></label>
    <label class="field"><span>${t("role")}</span><select name="role">${ROLES.map((role) => html`<option value=${role}>${t(`role_${role}`)}</option>`)}</select></label>
    <label class="field"><span>${t("mail_language")}</span><select name="language">${LANGUAGES.map((name) => html`<option value=${name} ?selected=${name === language.value}>${t(`language_${name}`)}</option>`)}</select></label>`,
  { button: t("invite"), source: invitations }, async (form, opened) => {
    const made = await ask(INVITATIONS, { method: "POST", body: Object.fromEntries(form) });
    opened.close("done");
    if (made.link) showOnce(t("invitation_made", { email: made.email }), t("link_once"), new URL(made.link, location.href).href);
    else say(t("invitation_sent", { email: made.email }));
  }));
}

/** @param {Invitation} invitation */
function withdraw({ id, email }) {
  return dialog(({ formDialog }) => formDialog(t("withdraw_from", { email }), html`<p class="soft">${t("withdraw_text")}</p>`, { button: t("withdraw"), danger: true, source: invitations }, async (_, opened) => {
    await ask(`${INVITATIONS}/${id}`, { method: "DELETE" });
    opened.close("done");
    say(t("withdrawn", { email }));
  }));
}
