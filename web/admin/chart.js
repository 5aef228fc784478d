// Bars over days, stacked by series, with the days' figures for pointers; a table beside it says the same.
import { html, nothing, svg } from "../vendor/lit-html/lit-html.js";
import { number } from "./parts.js";
import { ceiling } from "./series.js";

/**
 * @typedef {import("./series.js").Series} Series
 * @typedef {{series: Series[], labels: string[], title: string}} Chart
 */

const HEIGHT = 100;
const [BAR, STEP] = [7, 10];
const LABELS = 5;

/** @param {Chart} chart */
export function barChart({ series, labels, title }) {
  const sums = labels.map((_, at) => series.reduce((sum, one) => sum + one.values[at], 0));
  const most = ceiling(Math.max(1, ...sums));
  return html`<figure class="chart" role="img" aria-label=${title}>
    <div class="scale" aria-hidden="true"><span>${number(most)}</span><span>${number(most / 2)}</span><span>${number(0)}</span></div>
    <svg viewBox="0 0 ${labels.length * STEP} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
      ${[0, 0.5, 1].map((at) => svg`<line x1="0" x2=${labels.length * STEP} y1=${at * HEIGHT} y2=${at * HEIGHT}/>`)}
      ${labels.map((label, at) => dayBars(series, at, most, `${label}: ${number(sums[at])}`))}
    </svg>
    <div class="days" aria-hidden="true">${shown(labels).map((label) => html`<span>${label}</span>`)}</div>
  </figure>`;
}

/** @param {Series[]} series @param {number} at @param {number} most @param {string} text */
function dayBars(series, at, most, text) {
  let top = HEIGHT;
  const bars = series.map((one, index) => {
    const height = one.values[at] / most * HEIGHT;
    top -= height;
    return height ? svg`<rect class="s${index}" x=${at * STEP + (STEP - BAR) / 2} y=${top} width=${BAR} height=${height}/>` : nothing;
  });
  const details = series.filter((one) => one.values[at]).map((one) => `\n${one.name}: ${number(one.values[at])}`).join("");
  return svg`<g>${bars}<rect class="whole" x=${at * STEP} y="0" width=${STEP} height=${HEIGHT}><title>${text}${details}</title></rect></g>`;
}

/** A few of the labels, the first and the last among them. @param {string[]} labels */
function shown(labels) {
  if (labels.length <= LABELS) return labels;
  return Array.from({ length: LABELS }, (_, at) => labels[Math.round(at * (labels.length - 1) / (LABELS - 1))]);
}
