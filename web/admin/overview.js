// The whole service at a glance: workers, queue, storage, health.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { speaker, t } from "../app/i18n/index.js";
import { ago, details, heading, meter, number, span, waiting } from "./parts.js";
import { overview } from "./state.js";

/** @typedef {import("./api.js").Overview} Overview */

// A disk with less free space than this share is nearly full.
const LOW = 0.1;
const HEALTH = /** @type {const} */ (["database", "redis", "broker", "storage"]);

export function overviewSection() {
  const loaded = overview.state.value;
  const { data } = loaded;
  return html`${heading(t("overview"), data ? html`<span class="soft small">${t("uptime", { time: span(data.uptime_seconds) })}</span>` : nothing)}
    ${waiting(loaded)}
    ${data ? html`<div class="cards">${queueCard(data)}${workersCard(data)}${storageCard(data)}${healthCard(data)}${modelsCard(data)}</div>` : nothing}`;
}

/** @param {string} title @param {unknown} content @param {string} [size] */
function card(title, content, size = "") {
  return html`<section class="panel card ${size}" aria-label=${title}><h2>${title}</h2>${content}</section>`;
}

/** What a part says where it has nothing to show. @param {import("./api.js").Part} part */
function absent(part) {
  return part.status === "off" ? html`<p class="soft">${t("part_off")}</p>` : html`<p class="trouble">${t("no_answer")}</p>${details(part.problem)}`;
}

/** @param {Overview} found */
function queueCard({ queue }) {
  if (queue.status !== "ok") return card(t("queue"), absent(queue));
  const oldest = queue.oldest_seconds ?? 0;
  return card(t("queue"), html`<p class="figure"><strong>${number(queue.waiting ?? 0)}</strong> <span>${t("waiting_images")}</span></p>
    <dl class="facts">
      <div><dt>${t("running")}</dt><dd>${number(queue.running ?? 0)}</dd></div>
      <div><dt>${t("oldest")}</dt><dd>${queue.waiting ? span(oldest) : t("none_waiting")}</dd></div>
      <div><dt>${t("webhooks_due")}</dt><dd>${number(queue.webhooks_due ?? 0)}</dd></div>
    </dl>`);
}

/** @param {Overview} found */
function workersCard({ workers }) {
  if (workers.status !== "ok") return card(t("workers"), absent(workers), "wide");
  const all = workers.workers ?? [];
  const there = all.filter((worker) => worker.state !== "silent").length;
  return card(t("workers"), html`<p class="figure"><strong>${number(there)}</strong> <span>${t("workers_there", { count: there })}</span></p>
    ${all.length ? html`<ul class="workers">${all.map(workerRow)}</ul>` : html`<p class="trouble">${t("no_workers")}</p>`}`, "wide");
}

/** @param {import("./api.js").Worker} worker */
function workerRow(worker) {
  const done = t("processed", { count: worker.processed });
  return html`<li><span class="dot ${worker.state}"></span>
    <div><strong>${worker.name}</strong>
      <p class="soft small">${worker.item ? t("works_on", { item: worker.item }) : t("seen", { time: ago(worker.last_seen_at) })}</p></div>
    <span class="soft small">${done}</span><span class="badge ${worker.state}">${t(`worker_${worker.state}`)}</span></li>`;
}

/** @param {Overview} found */
function storageCard({ storage, cache }) {
  const kinds = { ...(storage.files ?? {}), ...(cache.results ? { cache: cache.results } : {}) };
  const total = Object.values(storage.files ?? {}).reduce((sum, files) => sum + files.bytes, 0);
  return card(t("storage_title"), html`${storage.files
    ? html`<p class="figure"><strong>${speaker().bytes(total)}</strong> <span>${t(`backend_${storage.backend}`)}</span></p>`
    : absent(storage)}
    <dl class="facts">${Object.entries(kinds).map(([kind, files]) => html`<div><dt>${t(`kind_${kind}`)}</dt>
      <dd>${files.at_least ? t("at_least", { count: files.files }) : t("files", { count: files.files })} <span class="soft">${speaker().bytes(files.bytes)}</span></dd></div>`)}</dl>
    ${Object.entries(storage.disks).map(([folder, disk]) => diskRow(folder, disk))}`);
}

/** @param {string} folder @param {{free_bytes: number, size_bytes: number}} disk */
function diskRow(folder, { free_bytes: free, size_bytes: size }) {
  const text = t("disk_free", { free: speaker().bytes(free), size: speaker().bytes(size) });
  const label = t(`disk_${folder}`);
  return html`<div class="disk"><p class="small"><span>${label}</span> <span class="soft">${text}</span></p>${meter(1 - free / size, `${label}: ${text}`, free < size * LOW ? "low" : "")}</div>`;
}

/** @param {Overview} found */
function healthCard(found) {
  return card(t("health"), html`<ul class="health">${HEALTH.map((name) => healthRow(name, found[name]))}</ul>
    <p class="soft small">${t("versions", { version: found.versions.service, python: found.versions.python, engine: found.versions.onnxruntime ?? found.versions["onnxruntime-gpu"] ?? "–" })}</p>`);
}

/** @param {string} name @param {import("./api.js").Part} part */
function healthRow(name, part) {
  const says = part.status === "ok" ? t("milliseconds", { value: number(part.milliseconds ?? 0) }) : part.status === "off" ? t("part_off") : t("no_answer");
  return html`<li><span class="dot ${part.status}"></span><span>${t(`part_${name}`)}</span><span class="soft small">${says}</span>${details(part.problem)}</li>`;
}

/** @param {Overview} found */
function modelsCard({ models }) {
  return card(t("models"), models.length ? html`<ul class="health">${models.map((model) => html`<li><span class="dot ok"></span><span>${model.name}</span>
      <span class="soft small">${model.engine} ${model.precision}${model.seconds === null ? nothing : ` · ${t("per_mask", { value: number(model.seconds * 1000) })}`}</span></li>`)}</ul>`
    : html`<p class="soft">${t("no_models")}</p>`);
}
