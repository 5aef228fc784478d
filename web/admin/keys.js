// API keys: what each may do and has used; create, limit, revoke.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { t } from "../app/i18n/index.js";
import { icon } from "../library/icons.js";
import { ago, date, dialog, heading, keyTitle, meter, number, waiting } from "./parts.js";
import { keys } from "./state.js";

/** @typedef {import("./api.js").Key} Key */

const NEARLY = 0.9;
const ended = signal(false);

export function keysSection() {
  const loaded = keys.state.value;
  const all = loaded.data?.keys ?? [];
  const valid = all.filter((key) => key.state === "valid");
  const over = all.length - valid.length;
  return html`${heading(t("keys"), html`<button type="button" class="button primary" @click=${() => dialog((all) => all.createKey())}>${t("new_key")}</button>`)}
    ${waiting(loaded)}
    ${loaded.data && !valid.length ? html`<p class="panel nothing soft">${t("no_keys")}</p>` : nothing}
    <ul class="rows">${[...valid].reverse().map(row)}</ul>
    ${over ? html`<div><button type="button" class="button quiet" aria-expanded=${ended.value} @click=${() => { ended.value = !ended.value; }}>${t(ended.value ? "hide_ended" : "show_ended", { count: over })}</button></div>` : nothing}
    ${ended.value ? html`<ul class="rows ended">${all.filter((key) => key.state !== "valid").reverse().map(row)}</ul>` : nothing}`;
}

/** @param {Key} key */
function row(key) {
  const valid = key.state === "valid";
  const title = keyTitle(key);
  return html`<li class="panel key" aria-label=${title}>
    <div class="who"><h2>${key.name}</h2>
      <p class="soft small">${owner(key)} · ${t("created", { date: date(key.created_at) })}${key.expires_at ? html` · ${t("expires", { date: date(key.expires_at) })}` : nothing}</p>
      <p class="scopes">${key.scopes.map((scope) => html`<span class="badge">${t(`scope_${scope}`)}</span>`)}${valid ? nothing : html`<span class="badge failed">${t(`key_${key.state}`)}</span>`}</p></div>
    <div class="month">${month(key)}</div>
    <dl class="facts"><div><dt>${t("rate_limit")}</dt><dd>${key.rate_limit ?? t("usual")}</dd></div>
      <div><dt>${t("last_used")}</dt><dd>${key.last_used_at ? ago(key.last_used_at) : t("never")}</dd></div></dl>
    ${valid ? html`<div class="buttons">
      <button type="button" class="icon-button" aria-label=${t("change_limits_of", { name: title })} title=${t("change_limits")} @click=${() => dialog((all) => all.limitKey(key))}>${icon("edit")}</button>
      <button type="button" class="icon-button danger" aria-label=${t("revoke_key", { name: title })} title=${t("revoke")} @click=${() => dialog((all) => all.revokeKey(key))}>${icon("remove")}</button>
    </div>` : nothing}
  </li>`;
}

/** @param {Key} key */
function owner({ user_id: id, user_email: email, owner: name }) {
  return id ? email ?? t("unknown", { id }) : name || t("no_owner");
}

/** @param {Key} key */
function month({ images_this_month: used, monthly_quota: quota }) {
  if (quota === null) return html`<p><strong>${number(used)}</strong> <span class="soft small">${t("images_this_month")}</span></p>`;
  const text = t("of_quota", { quota });
  const share = quota ? used / quota : 1;
  return html`<p><strong>${number(used)}</strong> <span class="soft small">${text}</span></p>${meter(share, `${number(used)} ${text}`, share >= NEARLY ? "low" : "")}`;
}
