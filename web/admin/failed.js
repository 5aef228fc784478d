// Everybody's failed jobs, newest first.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { say } from "../app/announce.js";
import { t } from "../app/i18n/index.js";
import { errorFacts, errorTitle } from "../library/failures.js";
import { icon } from "../library/icons.js";
import { ask } from "./api.js";
import { ago, details, heading, waiting } from "./parts.js";
import { failed } from "./state.js";

/** @typedef {import("./api.js").FailedJob} FailedJob */

const NAMES = 3;
/** Jobs that were just retried. */
const retried = signal(/** @type {ReadonlySet<string>} */ (new Set()));

export function failedSection() {
  const loaded = failed.state.value;
  const off = loaded.error?.code === "not_found";
  const jobs = loaded.data?.jobs ?? [];
  return html`${heading(t("failed_jobs"))}
    ${off ? html`<p class="panel nothing soft">${t("jobs_off")}</p>` : waiting(loaded)}
    ${loaded.data && !jobs.length ? html`<p class="panel nothing soft">${t("no_failed")}</p>` : nothing}
    <ul class="rows">${jobs.map(row)}</ul>
    ${loaded.data?.next_cursor ? html`<div><button type="button" class="button" ?disabled=${loaded.busy} @click=${more}>${t("more")}</button></div>` : nothing}`;
}

/** @param {FailedJob} job */
function row(job) {
  const items = job.items.filter((item) => item.status === "failed");
  const names = items.map((item) => item.name);
  const { metrics, key_id: id } = job;
  const error = job.error ?? items[0]?.error;
  return html`<li class="panel failed-job" aria-label=${job.job_id}>
    <div><h2>${error ? errorTitle(error) : t("failed_unknown")}</h2>
      <p class="soft small">${names.slice(0, NAMES).join(", ")}${names.length > NAMES ? ` ${t("and_more_names", { count: names.length - NAMES })}` : nothing}</p>
      ${error ? details(errorFacts({ ...error, text: error.message })) : nothing}</div>
    <dl class="facts">
      <div><dt>${t("when")}</dt><dd>${ago(job.created_at)}</dd></div>
      <div><dt>${t("whose")}</dt><dd>${id ? job.key_name ?? t("unknown", { id }) : t("without_key")}</dd></div>
      <div><dt>${t("failures")}</dt><dd>${t("failed_of", { failed: metrics.failed, items: metrics.items })}</dd></div></dl>
    <div class="buttons">${retried.value.has(job.job_id) ? html`<span class="badge processing">${t("again")}</span>`
      : job.retry_url ? html`<button type="button" class="button" @click=${() => retry(job)}>${icon("retry")}${t("retry_job")}</button>`
      : html`<span class="soft small">${t("final")}</span>`}</div>
  </li>`;
}

/** @param {FailedJob} job */
async function retry(job) {
  try {
    // A path of this server, also where PUBLIC_URL names it otherwise.
    await ask(`/api/admin/failed-jobs/${job.job_id}/retry`, { method: "POST" });
    retried.value = new Set([...retried.peek(), job.job_id]);
    say(t("again"));
  } catch (error) {
    say(errorTitle(error));
    failed.load();
  }
}

async function more() {
  const { data } = failed.state.peek();
  failed.state.value = { data, busy: true };
  try {
    const next = await ask(`${failed.path()}&cursor=${encodeURIComponent(data?.next_cursor ?? "")}`);
    failed.state.value = { data: { jobs: [...(data?.jobs ?? []), ...next.jobs], next_cursor: next.next_cursor }, busy: false };
  } catch (error) {
    failed.state.value = { data, error: /** @type {import("./api.js").ApiError} */ (error), busy: false };
  }
}
