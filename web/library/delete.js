// Deletes everything, here and on the server, after a question.
import { html } from "../vendor/lit-html/lit-html.js";
import { say } from "../app/announce.js";
import { openDialog } from "../app/dialog.js";
import { t } from "../app/i18n/index.js";
import { all, forget, order } from "../app/store.js";
import { leftOut } from "./actions.js";
import { cancelAll } from "./cancel.js";
import { erase, jobPath } from "./deletion.js";
import { moreTexts } from "./failures.js";
import { finish } from "./removal.js";

await moreTexts();

export async function confirmDelete() {
  const answer = await openDialog((dialog) => html`<h2>${t("delete_title")}</h2><p>${t("delete_text", { count: order.peek().length })}</p>
    <div class="dialog-buttons"><button type="button" class="button" @click=${() => dialog.close("")}>${t("keep")}</button>
    <button type="button" class="button primary danger" @click=${() => dialog.close("yes")}>${t("delete_yes")}</button></div>`, { label: t("delete_title") });
  if (answer === "yes") await deleteAll();
}

async function deleteAll() {
  await finish();
  const docs = all();
  await cancelAll();
  const jobs = [...new Set(docs.flatMap((doc) => (doc.job ? [doc.job.id] : [])))];
  const isAll = await erase(jobs.map(jobPath));
  await forget(docs.map((doc) => doc.id));
  leftOut.value = undefined;
  if (isAll) say(t("deleted"));
}
