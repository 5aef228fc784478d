// Stops photos, here and on the server.
import { say } from "../app/announce.js";
import { request } from "../app/api.js";
import { isOver } from "../app/events.js";
import { t } from "../app/i18n/index.js";
import { all, dispatch, peek, together } from "../app/store.js";
import { stopDirect } from "./direct.js";
import { remade } from "./overview.js";
import { pump, stopUploads } from "./sender.js";

/** Stop everything that has not ended. */
export async function cancelAll() {
  if (remade.peek()) (await import("./results.js")).stopRemaking();
  const open = all().filter((doc) => !isOver(doc)).map((doc) => doc.id);
  await cancel(open);
  say(t("cancelled_all", { count: open.length }));
}

/** Stop photos that have not ended. A job without another open photo is stopped as a whole. @param {string[]} ids */
export async function cancel(ids) {
  // A result that is made again has ended on the server.
  const open = ids.flatMap((id) => { const doc = peek(id); return doc && !isOver(doc) && doc.stage !== "compose" ? [doc] : []; });
  together(() => ids.forEach((id) => {
    stopDirect(id);
    dispatch(id, { type: "cancel" });
  }));
  stopUploads();
  const others = new Set(all().flatMap((doc) => (doc.job && !isOver(doc) ? [doc.job.id] : [])));
  const jobs = new Map(open.flatMap(({ job }) => (job ? [[job.id, /** @type {string[]} */ ([])]] : [])));
  for (const { job } of open) if (job) jobs.get(job.id)?.push(job.item);
  await Promise.all([...jobs].map(([job, items]) => cancelJob(job, others.has(job) ? items : undefined)));
  pump();
}

/**
 * Stop the photos of a new job that were stopped while they were sent, and delete those that were removed.
 * @param {string} job @param {{id: string, item: string}[]} unwanted @param {{id: string, item: string}[]} items all of the job
 */
export async function leave(job, unwanted, items) {
  const removed = unwanted.filter(({ id }) => !peek(id));
  const stopped = unwanted.filter(({ id }) => peek(id)).map(({ item }) => item);
  if (stopped.length) await cancelJob(job, stopped.length < items.length ? stopped : undefined);
  if (!removed.length) return;
  const { erase, itemPath, jobPath } = await import("./deletion.js");
  await erase(removed.length < items.length ? removed.map(({ item }) => itemPath({ id: job, item })) : [jobPath(job)]);
}

/** Stop a job, or some of its items. @param {string} job @param {string[]} [items] */
async function cancelJob(job, items) {
  const paths = items?.map((item) => `/items/${item}`) ?? [""];
  // It may have ended meanwhile.
  await Promise.all(paths.map((path) => request(`/api/jobs/${job}${path}/cancel`, { method: "POST", keepalive: true }).catch(() => undefined)));
}
