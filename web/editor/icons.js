/** The icons of what is there with the brush: lines on a grid of 20. */
import { svg } from "../vendor/lit-html/lit-html.js";

/** @type {{[name: string]: unknown}} */
const SHAPES = {
  back: svg`<path d="M12 4l-6 6 6 6"/>`,
  undo: svg`<path d="M7.5 4.5L4 8l3.5 3.5"/><path d="M4 8h7a4.5 4.5 0 0 1 0 9H8"/>`,
  redo: svg`<path d="M12.5 4.5L16 8l-3.5 3.5"/><path d="M16 8H9a4.5 4.5 0 0 0 0 9h3"/>`,
  plus: svg`<path d="M10 4.5v11M4.5 10h11"/>`,
  minus: svg`<path d="M4.5 10h11"/>`,
  fit: svg`<path d="M4 7.5V4h3.5M12.5 4H16v3.5M16 12.5V16h-3.5M7.5 16H4v-3.5"/>`,
  split: svg`<rect x="3.5" y="4" width="13" height="12" rx="2"/><path d="M10 2v16"/><path d="M10 4h4.5a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H10z" fill="currentColor" stroke="none" opacity=".25"/>`,
  sides: svg`<rect x="2.5" y="5" width="6.5" height="10" rx="1.5"/><rect x="11" y="5" width="6.5" height="10" rx="1.5"/>`,
  down: svg`<path d="M10 3.5v9M6 9l4 4 4-4M4 16.5h12"/>`,
  check: svg`<path d="M4.5 10.5l3.5 3.5 7.5-8"/>`,
  brush: svg`<path d="M16.5 3.5c-3 1-6.5 4.6-8 7.5l1.5 1.5c2.9-1.5 6.5-5 7.5-8z"/><path d="M7.5 11.5c-1.9.2-2.8 1.4-3 3-.1 1-.6 1.7-1.5 2 3.2.8 6-.6 6-3.5z"/>`,
  smart: svg`<path d="M13.5 4.5L5 13c-.8.8-2 3.5-2 3.5s2.7-1.2 3.5-2L15 6z"/><path d="M15.5 10.5v3M14 12h3M5.5 3v3M4 4.5h3"/>`,
  wand: svg`<path d="M11.5 8.5l-8 8"/><path d="M13 3v2.5M13 10v2.5M8.5 7.5H11M15 7.5h2.5M16 4.5l-1.3 1.3M10 4.5l1.3 1.3M16 10.5l-1.3-1.3"/>`,
  lasso: svg`<path d="M10 3.5c4 0 7 1.9 7 4.5s-3 4.5-7 4.5-7-1.9-7-4.5 3-4.5 7-4.5z"/><path d="M5.5 11.5c-1.6 1.2-.9 3 .7 2.9 1.5-.1 1.4-2-.2-2.6M6 14.4c.2 1-.2 1.8-1.2 2.3"/>`,
  polygon: svg`<path d="M4.5 8L10 4l6 3.5-2 7.5-8 .5z"/><g fill="currentColor" stroke="none"><circle cx="4.5" cy="8" r="1.6"/><circle cx="10" cy="4" r="1.6"/><circle cx="16" cy="7.5" r="1.6"/><circle cx="14" cy="15" r="1.6"/><circle cx="6" cy="15.5" r="1.6"/></g>`,
  ellipse: svg`<ellipse cx="10" cy="10" rx="6.5" ry="5" stroke-dasharray="2.6 2.2"/>`,
  rectangle: svg`<rect x="3.5" y="5" width="13" height="10" rx="1" stroke-dasharray="2.6 2.2"/>`,
  object: svg`<path d="M3.5 7V5.5a2 2 0 0 1 2-2H7M13 3.5h1.5a2 2 0 0 1 2 2V7M16.5 13v1.5a2 2 0 0 1-2 2H13M7 16.5H5.5a2 2 0 0 1-2-2V13"/><path d="M8.5 8l5 2-2.2.9-.9 2.2z" fill="currentColor"/>`,
  hand: svg`<path d="M6.5 10V5.3a1.2 1.2 0 0 1 2.4 0V9M8.9 8.5V4.2a1.2 1.2 0 0 1 2.4 0v4.3M11.3 8.7V5a1.2 1.2 0 0 1 2.4 0v5.5M13.7 9a1.2 1.2 0 0 1 2.4 0v3.2c0 3-1.9 5-4.9 5-2.4 0-3.5-.9-4.7-2.7l-2.3-3.5c-.9-1.4.8-2.6 1.9-1.5l1 1"/>`,
  eye: svg`<path d="M2.5 10S5 5 10 5s7.5 5 7.5 5-2.5 5-7.5 5-7.5-5-7.5-5z"/><circle cx="10" cy="10" r="2.3"/>`,
  more: svg`<g fill="currentColor" stroke="none"><circle cx="4.5" cy="10" r="1.5"/><circle cx="10" cy="10" r="1.5"/><circle cx="15.5" cy="10" r="1.5"/></g>`,
  keys: svg`<rect x="2.5" y="5" width="15" height="10" rx="2"/><path d="M5.5 8h.1M8.5 8h.1M11.5 8h.1M14.5 8h.1M7 12h6"/>`,
};

/** @param {string} name */
export function icon(name) {
  return drawn(SHAPES[name]);
}

/** An icon of this shape. @param {unknown} shape */
export function drawn(shape) {
  return svg`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">${shape}</svg>`;
}
