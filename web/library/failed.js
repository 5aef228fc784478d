// What went wrong and what to do, grouped by reason.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { notify } from "../app/announce.js";
import { t } from "../app/i18n/index.js";
import { facts } from "../app/api.js";
import { photoOf } from "../app/photos.js";
import { add, changes, forget, order, patch, peek } from "../app/store.js";
import { canRetry, GONE, SHRINKS } from "./pace.js";
import { errorFacts, errorSolution, moreTexts, errorTitle } from "./failures.js";
import { icon } from "./icons.js";
import { retry } from "./retry.js";
import { keepWaiting, pump } from "./sender.js";
import { shrink } from "./thumbs.js";

/** @typedef {import("../app/store.js").Doc} Doc */

const NAMED = 6;

await moreTexts();

/** @returns {Map<string, Doc[]>} */
function groups() {
  changes.value;
  /** @type {Map<string, Doc[]>} */
  const found = new Map();
  for (const id of order.value) {
    const doc = peek(id);
    if (doc?.state !== "failed" || !doc.error) continue;
    found.set(doc.error.code, [...(found.get(doc.error.code) ?? []), doc]);
  }
  return found;
}

/** Whether this browser may make a smaller copy. @param {Doc} doc */
function canShrink({ error, decodes }) {
  return SHRINKS.has(error?.code ?? "") && decodes !== false;
}

/** @param {Doc[]} docs */
async function retryAll(docs) {
  for (const doc of docs) await retry(doc.id);
}

export function failedPanel() {
  const found = groups();
  if (!found.size) return nothing;
  const retryable = [...found.values()].flat().filter(canRetry);
  return html`<section class="panel failed-photos" aria-label=${t("failed_photos")}>
    <header><h2>${t("failed_photos")}</h2>
      ${retryable.length ? html`<button type="button" class="button" @click=${() => retryAll(retryable)}>${icon("retry")}${t("retry_failed")}</button>` : nothing}
      <button type="button" class="button quiet" @click=${() => copy([...found.values()].flat())}>${t("copy_list")}</button>
    </header>
    <ul>${[...found.values()].map(group)}</ul>
  </section>`;
}

/** @param {Doc[]} docs */
function group(docs) {
  const [{ error }] = docs;
  if (!error) return nothing;
  const names = docs.slice(0, NAMED).map((doc) => doc.path + doc.name).join(", ");
  const more = docs.length > NAMED ? t("and_more", { count: docs.length - NAMED }) : "";
  return html`<li>
    <div>
      <strong>${errorTitle(error)}</strong>
      <p>${errorSolution(error)}</p>
      <p class="soft small">${names} ${more}</p>
      ${technical(docs)}
    </div>
    <div class="buttons">
      ${docs.some(canShrink) ? html`<button type="button" class="button" @click=${() => docs.filter(canShrink).forEach((doc) => shrinkAndRetry(doc.id))}>${t("resize_and_retry")}</button>` : nothing}
      ${docs.some(canRetry) ? html`<button type="button" class="button" @click=${() => retryAll(docs.filter(canRetry))}>${t("retry_these")}</button>` : nothing}
    </div>
  </li>`;
}

/** What the server says of each, folded away. @param {Doc[]} docs */
function technical(docs) {
  const said = docs.flatMap(({ name, error }) => (error && errorFacts(error) ? [t("technical", { name, facts: errorFacts(error) })] : []));
  if (!said.length) return nothing;
  return html`<details class="soft small"><summary>${t("details")}</summary><ul>${said.slice(0, NAMED).map((line) => html`<li lang="en">${line}</li>`)}</ul></details>`;
}

/** @param {Doc[]} docs */
function copy(docs) {
  const text = docs.map((doc) => `${doc.path}${doc.name}\t${doc.error ? errorTitle(doc.error) : ""}`).join("\n");
  if (navigator.clipboard) navigator.clipboard.writeText(text).catch(() => copyBySelection(text));
  else copyBySelection(text);
}

/** Without a secure origin there is no clipboard but the selection's. @param {string} text */
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** A smaller copy where the photo is too large, then once more. @param {string} id */
async function shrinkAndRetry(id) {
  const known = facts.peek();
  const doc = peek(id);
  if (!known || !doc) return;
  // As JPEG a pixel takes less than two bytes.
  const pixels = Math.min(known.limits.pixels, known.limits.bytes / 2);
  const photo = await photoOf(id).catch(() => undefined);
  const blob = photo && (await shrink({ photo, pixels }));
  if (!photo) patch(id, { error: GONE });
  else if (!blob) {
    if (blob === null) patch(id, { decodes: false });
    notify(t("not_resized", { name: doc.name }));
  }
  if (!blob) return;
  await forget([id]);
  const [made] = add([{ name: doc.name.replace(/\.[^.]+$/, "") + ".jpg", path: doc.path, blob, type: "image/jpeg", modified: doc.modified, options: doc.options }]);
  keepWaiting([made.id]);
  pump();
}
