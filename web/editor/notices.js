/**
 * What floats over the stage: that another tab has the photo, a doubtful cut-out, an object that is looked for, and what an export says. Follows the brush.
 */
import { html } from "../vendor/lit-html/lit-html.js";
import { addMessages, t } from "../app/i18n/index.js";
import { facts } from "../app/model.js";
import { peek } from "../app/store.js";
import { en } from "./i18n/notices_en.js";
import { laterIcon } from "./later_icons.js";
import { NOTHING } from "./picture.js";

addMessages("en", en);

/** @typedef {import("./session.js").Session} Session */

/** Below this confidence the model is unsure. */
const UNSURE = 0.3;

/** Doubt a cut-out that has nothing, or of which the model was not sure. @param {Session} session */
export function judge({ id, look, picture, doubt }) {
  const confidence = peek(id)?.result?.confidence ?? facts.get(id)?.confidence ?? 1;
  if (look.small.update().kept() < NOTHING) doubt.value = "nothing";
  else if (picture.fresh && confidence < UNSURE) doubt.value = "unsure";
}

/** All that there is to say. @param {Session} session */
export function notices(session) {
  return html`${session.document.readOnly.value ? otherTab(session) : html``}${doubtNotice(session)}${objectNotice(session)}${session.exports.exporter.value?.notice()}`;
}

/** That an object is looked for, and why it was not found. @param {Session} session */
function objectNotice({ tools, settings, arrived }) {
  arrived.value;
  const tool = settings.tool.value === "object" ? /** @type {import("./tools/object.js").ObjectTool|undefined} */ (tools.get("object")) : undefined;
  if (!tool?.busy) return html``;
  if (tool.busy.value) return html`<div class="ed-toast"><span class="ed-spinner"></span>${t("tool_object_busy")}</div>`;
  return tool.trouble.value ? html`<div class="ed-toast bad">${laterIcon("warn")}<div>${tool.trouble.value}${tool.marked ? html`<div class="ed-toast-actions"><button type="button" class="button" @click=${() => tool.again()}>${t("ed_try_again")}</button></div>` : html``}</div><button type="button" class="icon-button" aria-label=${t("ed_dismiss")} @click=${() => { tool.trouble.value = ""; }}>${laterIcon("close")}</button></div>` : html``;
}

/** @param {Session} session */
function otherTab(session) {
  return html`<div class="ed-toast doubt">${laterIcon("warn")}<div><strong>${t("ed_other_tab")}</strong>
    <div class="ed-toast-actions"><button type="button" class="button" @click=${() => takeOver(session)}>${t("ed_take_over")}</button></div></div></div>`;
}

/** What to do where the model found nothing, or is unsure. @param {Session} session */
function doubtNotice(session) {
  const doubt = session.doubt.value;
  if (!doubt) return html``;
  const models = (session.facts?.models ?? []).filter(({ name, takes_prompt }) => !takes_prompt && name !== session.facts?.default_model);
  return html`<div class="ed-toast doubt">${laterIcon("warn")}<div><strong>${t(`ed_${doubt}`)}</strong><p class="small">${t(`ed_${doubt}_what`)}</p>
    <div class="ed-toast-actions">
      <button type="button" class="button primary" @click=${() => startBrush(session)}>${t("ed_use_brush")}</button>
      <button type="button" class="button" @click=${() => keepAll(session)}>${t("ed_keep_all")}</button>
      ${models.length ? html`<select class="button" aria-label=${t("ed_other_model")} @change=${(/** @type {any} */ event) => detectAgain(session, event.target.value)}>
        <option value="" selected disabled>${t("ed_other_model")}</option>${models.map(({ name }) => html`<option value=${name}>${name}</option>`)}</select>` : html``}
    </div></div>
    <button type="button" class="icon-button" aria-label=${t("ed_dismiss")} @click=${() => { session.doubt.value = null; }}>${laterIcon("close")}</button></div>`;
}

/** Edit here what another tab has open. @param {Session} session */
async function takeOver({ document }) {
  await document.lease.takeOver();
  location.reload();
}

/** Keep all of the photo, to erase by hand. @param {Session} session */
async function keepAll(session) {
  await session.whole((actions) => actions.full());
  session.doubt.value = null;
  session.settings.mode.value = "erase";
  session.choose("brush");
}

/** Bring the subject back with the brush. @param {Session} session */
function startBrush(session) {
  session.doubt.value = null;
  session.settings.mode.value = "restore";
  session.settings.overlay.value = "red";
  session.choose("brush");
}

/** Ask another model for the cut-out. @param {Session} session @param {string} model */
async function detectAgain(session, model) {
  const { exports, doubt, look } = session;
  exports.state.value = { kind: "busy", text: t("ed_opening") };
  try {
    await session.whole((actions) => actions.detectAgain({ model }));
    exports.state.value = { kind: "idle" };
    doubt.value = look.small.update().kept() < NOTHING ? "nothing" : null;
  } catch (error) {
    (await exports.load()).fail(error, { again: () => detectAgain(session, model), alone: true });
  }
}
