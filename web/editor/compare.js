/** The slider that moves the split between photo and result. */
import { html } from "../vendor/lit-html/lit-html.js";
import { live } from "../app/live.js";
import { t } from "../app/i18n/index.js";

/** @typedef {import("./picture.js").Compare} Compare */

/** The slider's thumb, in CSS px. */
const THUMB = 44;

/** The slider on the stage. @param {Compare} compare */
export function compareSlider(compare) {
  if (compare.mode.value !== "split") return html``;
  const move = (/** @type {Event} */ event) => {
    compare.at.value = Number(/** @type {HTMLInputElement} */ (event.target).value);
  };
  return html`<input class="compare-slider" type="range" dir="ltr" min="0" max="100" step="1" aria-label=${t("ed_before_after")}
    aria-valuetext=${t("ed_before_after_value", { share: compare.at.value })} .value=${live(String(compare.at.value))}
    @input=${move} @dblclick=${() => compare.next()}>`;
}

/** Lay the slider over the picture's part of the stage. @param {Element} hud @param {{left: number, right: number}} span in CSS px */
export function placeSlider(hud, span) {
  const slider = hud.querySelector(".compare-slider");
  if (!(slider instanceof HTMLElement)) return;
  slider.style.left = `${span.left - THUMB / 2}px`;
  slider.style.width = `${span.right - span.left + THUMB}px`;
}
