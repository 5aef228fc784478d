// The administrators' page: sign in, then one section at a time, which the address names.
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { effect, signal } from "../vendor/signals/signals-core.js";
import { said, say } from "../app/announce.js";
import { facts, knownFacts } from "../app/api.js";
import { header, startScheme } from "../app/header.js";
import { addMessages, language, startLanguage, t } from "../app/i18n/index.js";
import { moreTexts, errorTitle } from "../library/failures.js";
import { icon } from "../library/icons.js";
import { allowed, hasKey, refusal, signOut, useKey } from "./api.js";
import { failedSection } from "./failed.js";
import { en } from "./i18n/en.js";
import { invitationsSection } from "./invitations.js";
import { keysSection } from "./keys.js";
import { overviewSection } from "./overview.js";
import { problem } from "./parts.js";
import { failed, invitations, keys, overview, usage } from "./state.js";
import { usageSection } from "./usage.js";

const REFRESH_MS = 5000;
const SECTIONS = /** @type {const} */ ({ overview: overviewSection, keys: keysSection, usage: usageSection, failed: failedSection, invitations: invitationsSection });
/** @typedef {keyof typeof SECTIONS} Name */
/** What each section asks for. @type {{[name in Name]: import("./state.js").Source<any>}} */
const SOURCES = { overview, keys, usage, failed, invitations };
const page = /** @type {HTMLElement} */ (document.getElementById("page"));
const section = signal(named());
/** Counts the languages whose texts have come. */
const texts = signal(0);

/** @returns {Name} */
function named() {
  const name = location.hash.slice(1);
  return Object.hasOwn(SECTIONS, name) ? /** @type {Name} */ (name) : "overview";
}

function shell() {
  return html`<a class="skip" href="#view" @click=${skip}>${t("skip_section")}</a>
    ${header("/")}
    ${allowed.value ? signedIn() : allowed.value === false ? signIn() : unknown()}
    <p class="hidden-text" role="status" aria-live="polite">${said.value}</p>`;
}

function signedIn() {
  return html`<div class="admin">
    <nav class="sections" aria-label=${t("sections")}>
      ${Object.keys(SECTIONS).filter((name) => name !== "invitations" || facts.value?.accounts?.invitations).map((name) => html`<a href="#${name}" aria-current=${name === section.value ? "page" : nothing}>${t(`nav_${name}`)}</a>`)}
      <button type="button" class="button quiet" @click=${leave}>${t("leave")}</button>
    </nav>
    <main id="view" class="section" tabindex="-1">${SECTIONS[section.value]()}</main>
  </div>`;
}

/** Why the server has not said who this person is, other than by refusing the key. */
function failure() {
  const { error } = SOURCES[section.value].state.value;
  return error && ![401, 403].includes(error.status) ? error : undefined;
}

/** Before the server has said whether this person is let in. */
function unknown() {
  const error = failure();
  return error ? html`<main id="view" class="sign-in" tabindex="-1"><div class="panel admin-form"><div role="alert">${problem(error)}</div>
    <button type="button" class="button primary" @click=${load}>${t("try_again")}</button></div></main>` : nothing;
}

function signIn() {
  const refused = refusal.value;
  const error = failure();
  return html`<main id="view" class="sign-in" tabindex="-1"><form class="panel admin-form" @submit=${enter}>
    <span class="lock">${icon("lock")}</span>
    <h1>${t("sign_in_title")}</h1>
    <p class="soft">${t("sign_in_text")}</p>
    <label class="field"><span>${t("admin_key")}</span><input name="key" type="password" autocomplete="off" spellcheck="false" required></label>
    ${refused ? html`<p class="trouble" role="alert">${t(refused.status === 403 ? "key_not_admin" : "key_refused")}</p>` : nothing}
    ${error && !refused ? html`<div class="trouble" role="alert">${problem(error)}</div>` : nothing}
    <button class="button primary">${t("enter_key")}</button>
    <p class="soft small">${t("key_kept")}</p>
    ${facts.value?.accounts ? withAccount(facts.value.accounts.user) : nothing}
  </form></main>`;
}

/** The other way in: a session. @param {string|null} user the address of the signed-in user */
function withAccount(user) {
  return html`${user ? html`<p class="trouble">${t("user_not_admin", { user })}</p>` : nothing}
    <a class="button" href="/account">${t(user ? "other_account" : "with_account")}</a>`;
}

/** @param {SubmitEvent} event */
function enter(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  useKey(String(new FormData(form).get("key")).trim());
  load();
}

async function leave() {
  const known = facts.value;
  try {
    await signOut(Boolean(known?.accounts?.user));
  } catch (error) {
    say(errorTitle(error));
    return;
  }
  for (const source of Object.values(SOURCES)) source.clear();
  if (known?.accounts) facts.value = { ...known, accounts: { ...known.accounts, user: null } };
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("view")?.focus();
}

function load() {
  SOURCES[section.peek()].load();
}

/** What administrators read of an error, instead of what the page with photos says. */
async function loadErrors() {
  const [own, german] = await Promise.all([import("./errors/en.js"), import("./errors/de.js"), moreTexts()]);
  addMessages("en", own.en);
  addMessages("de", german.de);
}

/** @param {string} name */
async function loadTexts(name) {
  if (name === "de") addMessages("de", (await import("./i18n/de.js")).de);
}

async function start() {
  addMessages("en", en);
  startScheme();
  await Promise.all([startLanguage(), loadErrors().catch(() => undefined)]);
  await loadTexts(language.value);
  // Texts of another language come later than its choice.
  effect(() => { loadTexts(language.value).then(() => { texts.value += 1; }); });
  effect(() => { texts.value; document.title = `${t("admin")} – ${t("title")}`; render(shell(), page); });
  addEventListener("hashchange", () => { section.value = named(); if (allowed.peek()) load(); scrollTo(0, 0); });
  setInterval(() => { if (allowed.peek() && section.peek() === "overview" && !document.hidden) overview.load(); }, REFRESH_MS);
  // Not asked where the answer is known: browsers show a refusal as an error.
  if (hasKey()) load();
  const { accounts } = await knownFacts();
  if (accounts?.user && !hasKey()) load();
  else if (!hasKey()) allowed.value = false;
}

start();
