/** The editor's frame, before it is filled. */
import { html } from "../vendor/lit-html/lit-html.js";
import { t } from "../app/i18n/index.js";

export function frame() {
  return html`<section class="editor" role="region" aria-label=${t("ed_editor")}>
    <div class="ed-top" data-part="top"></div>
    <div class="ed-body">
      <div class="ed-stage-area">
        <div class="ed-stage" role="application" aria-label=${t("ed_stage")} aria-describedby="ed-help" tabindex="0">
          <canvas class="ed-overlay"></canvas><i></i><i></i>
        </div>
        <p class="hidden-text" id="ed-help">${t("ed_stage_help")}</p>
        <div data-part="split"></div>
        <div class="ed-hud" data-part="hud"></div>
        <div class="ed-notices" data-part="notice"></div>
      </div>
      <div class="ed-tools" data-part="tools"></div>
      <div class="ed-panel" data-part="panel"></div>
    </div>
    <div class="ed-strip" data-part="strip"></div>
  </section>`;
}
