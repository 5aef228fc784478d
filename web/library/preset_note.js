// What a preset does, below the list of presets. Loaded with the first one that a person chooses.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { optionsOf } from "../app/api.js";
import { t } from "../app/i18n/index.js";
import { NAMED } from "./bulk.js";

/** Its size, ground and format, and where its rules stand. @param {import("../app/api.js").Preset} preset */
export function presetNote(preset) {
  const { canvas, max_width: width, max_height: height, format, background } = optionsOf(preset);
  const size = canvas ? `${canvas.replace(/[x ]/, "\u00d7")} px` : width ? `\u2264\u00a0${width}\u00d7${height}` : "";
  const parts = [size, background && t(`ground_${NAMED[background] ?? "colour"}`), format && t(`format_${format}`)];
  return html`<p class="soft small">${parts.filter(Boolean).join(" \u00b7 ")}
    ${preset.source ? html`<a href=${preset.source} target="_blank" rel="noopener noreferrer">${t("preset_check")}</a>` : nothing}</p>`;
}
