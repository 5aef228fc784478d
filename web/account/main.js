// The account's page: who is signed in, and the view for it.
import { html, render } from "../vendor/lit-html/lit-html.js";
import { effect, signal } from "../vendor/signals/signals-core.js";
import { knownFacts } from "../app/api.js";
import { header, startScheme } from "../app/header.js";
import { addMessages, language, startLanguage, t } from "../app/i18n/index.js";
import { account } from "./calls.js";
import { onSignedOut, tried } from "./form.js";
import { en } from "./i18n/en.js";
import { forget, load, signedIn } from "./signed_in.js";
import { failed, signedOut } from "./signed_out.js";

const page = /** @type {HTMLElement} */ (document.getElementById("page"));
/** undefined: not known yet. @type {import("../vendor/signals/signals-core.js").Signal<import("./calls.js").Account|null|undefined>} */
const user = signal(/** @type {any} */ (undefined));
const offer = signal(/** @type {import("../app/api.js").StudioFacts["accounts"]} */ (undefined));
/** Counts the languages whose texts have come. */
const texts = signal(0);
const LINK = /^#(?:(confirm|reset|invite)=([\w-]{20,200})|error=(\w{1,40}))$/;
let link = takeLink();

/** The token of an email's link, which leaves the address bar and the history. */
function takeLink() {
  const found = LINK.exec(location.hash);
  if (found) history.replaceState(null, "", location.pathname);
  if (found?.[3]) failed.value = found[3];
  return { kind: found?.[1] ?? "", token: found?.[2] ?? "" };
}

/** @param {import("./calls.js").Account|undefined} found */
function enter(found) {
  link = { kind: "", token: "" };
  if (found?.id !== user.value?.id) forget();
  user.value = found ?? null;
  if (found) tried("key", load);
}

function view() {
  if (!offer.value || user.value === undefined) return "";
  return user.value && !link.kind ? signedIn(user.value, enter) : signedOut(offer.value, link, enter);
}

/** Another tab may have signed this browser out, or somebody else in. */
async function look() {
  const shown = user.value;
  if (document.hidden || !shown) return;
  await tried("leave", async () => {
    const found = await account().catch((error) => { if (error.code === "not_signed_in") throw error; });
    if (found && user.value === shown && found.id !== shown.id) enter(found);
  });
}

/** @param {string} name */
async function loadTexts(name) {
  addMessages("en", en);
  if (name === "de") addMessages("de", (await import("./i18n/de.js")).de);
}

async function start() {
  startScheme();
  await startLanguage();
  await loadTexts(language.value);
  effect(() => {
    texts.value;
    document.title = `${t("account")} – ${t("title")}`;
    render(html`${header("/")}<main class="main" id="view">${view()}</main>`, page);
  });
  // Texts of another language come later than its choice.
  effect(() => { const name = language.value; loadTexts(name).then(() => { texts.value += 1; }); });
  onSignedOut(() => enter(undefined));
  document.addEventListener("visibilitychange", look);
  // A link that is opened in this tab does not load the page.
  addEventListener("hashchange", () => { if (LINK.test(location.hash)) location.reload(); });
  offer.value = (await knownFacts()).accounts;
  // Not asked where the answer is known: browsers show a refusal as an error.
  const found = offer.value?.user ? await account().catch(() => null) : null;
  if (found) tried("key", load);
  user.value = found;
}

start();
