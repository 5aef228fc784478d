/** The export's buttons, and how far it is. What makes the files is loaded when a button is pressed, or while nothing else happens. */
import { html } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { part } from "../app/connection.js";
import { t } from "../app/i18n/index.js";
import { icon } from "./icons.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./export.js").Exporter} Exporter */
/** @typedef {{kind: "idle"} | {kind: "busy", text: string} | {kind: "done", text: string} | {kind: "failed", text: string, solution: string, offersQuick: boolean, again?: () => unknown}} ExportState */

export class Exports {
  state = signal(/** @type {ExportState} */ ({ kind: "idle" }));
  open = signal(false);
  /** What makes the files, once it is loaded. */
  exporter = signal(/** @type {Exporter | undefined} */ (undefined));
  /** @type {Promise<Exporter> | undefined} */
  #loading;

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
  }

  load() {
    this.#loading ??= this.#load().catch((error) => { this.#loading = undefined; throw error; });
    return this.#loading;
  }

  async #load() {
    const { Exporter } = await part(() => import("./export.js"));
    return (this.exporter.value = new Exporter(this.session));
  }

  async download() {
    const busy = { kind: /** @type {const} */ ("busy"), text: t("ed_exporting") };
    this.state.value = busy;
    const exporter = await this.load().catch(() => undefined);
    // The photo was left meanwhile.
    if (this.state.peek() !== busy) return;
    this.state.value = { kind: "idle" };
    await exporter?.download();
  }

  close() {
    this.exporter.peek()?.cancel();
    this.state.value = { kind: "idle" };
  }
}

/** @param {Session} session */
export function exportButtons({ exports }) {
  const { state, open, exporter } = exports;
  const busy = state.value.kind === "busy";
  const leave = exporter.value?.leave;
  const turn = () => {
    open.value = !open.value;
    // `part` has said why it is not there.
    exports.load().catch(() => undefined);
  };
  return html`<div class="ed-export" @keydown=${leave} @focusout=${leave}>
    <button type="button" class="button primary" aria-busy=${String(busy)} ?disabled=${busy} @click=${() => exports.download()}>
      ${busy ? html`<span class="ed-spinner"></span>` : icon("down")}<span>${t("ed_export")}</span></button>
    <button type="button" class="button primary ed-more" aria-label=${t("ed_export_more")} aria-haspopup="true" aria-expanded=${String(open.value)} @click=${turn}>${icon("more")}</button>
    ${open.value && exporter.value ? exporter.value.menu() : html``}
  </div>`;
}
