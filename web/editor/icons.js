/** The editor's icons: lines on a grid of 20. */
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
  copy: svg`<rect x="7" y="7" width="9.5" height="9.5" rx="2"/><path d="M13 7V5.5a2 2 0 0 0-2-2H5.5a2 2 0 0 0-2 2V11a2 2 0 0 0 2 2H7"/>`,
  check: svg`<path d="M4.5 10.5l3.5 3.5 7.5-8"/>`,
  brush: svg`<path d="M16.5 3.5c-3 1-6.5 4.6-8 7.5l1.5 1.5c2.9-1.5 6.5-5 7.5-8z"/><path d="M7.5 11.500c-1.9.2-2.8 1.4-3 3-.1 1-.6 1.7-1.5 2 3.2.8 6-.6 6-3.500z"/>`,
  smart: svg`<path d="M13.5 4.500L5 13c-.8.8-2 3.5-2 3.500s2.7-1.2 3.5-2L15 6z"/><path d="M15.5 10.500v3M14 12h3M5.5 3v3M4 4.500h3" />`,
  wand: svg`<path d="M11.5 8.500l-8 8"/><path d="M13 3v2.500M13 10v2.500M8.5 7.500H11M15 7.500h2.500M16 4.500l-1.3 1.300M10 4.500l1.3 1.300M16 10.500l-1.3-1.3" />`,
  lasso: svg`<path d="M10 3.500c4 0 7 1.9 7 4.500s-3 4.5-7 4.5-7-1.9-7-4.5 3-4.5 7-4.500z"/><path d="M5.5 11.500c-1.6 1.2-.9 3 .7 2.9 1.5-.1 1.4-2-.2-2.600M6 14.400c.2 1-.2 1.8-1.2 2.3"/>`,
  polygon: svg`<path d="M4.5 8L10 4l6 3.5-2 7.5-8 .5z"/><g fill="currentColor" stroke="none"><circle cx="4.5" cy="8" r="1.6"/><circle cx="10" cy="4" r="1.6"/><circle cx="16" cy="7.5" r="1.6"/><circle cx="14" cy="15" r="1.6"/><circle cx="6" cy="15.5" r="1.6"/></g>`,
  ellipse: svg`<ellipse cx="10" cy="10" rx="6.5" ry="5" stroke-dasharray="2.6 2.2"/>`,
  rectangle: svg`<rect x="3.5" y="5" width="13" height="10" rx="1" stroke-dasharray="2.6 2.2"/>`,
  object: svg`<path d="M3.5 7V5.500a2 2 0 0 1 2-2H7M13 3.500h1.500a2 2 0 0 1 2 2V7M16.5 13v1.500a2 2 0 0 1-2 2H13M7 16.500H5.500a2 2 0 0 1-2-2V13"/><path d="M8.5 8l5 2-2.2.9-.9 2.200z" fill="currentColor"/>`,
  hand: svg`<path d="M6.5 10V5.300a1.2 1.2 0 0 1 2.4 0V9M8.9 8.500V4.200a1.2 1.2 0 0 1 2.4 0v4.300M11.3 8.700V5a1.2 1.2 0 0 1 2.4 0v5.500M13.7 9a1.2 1.2 0 0 1 2.4 0v3.200c0 3-1.9 5-4.9 5-2.4 0-3.5-.9-4.7-2.700l-2.3-3.500c-.9-1.4.8-2.6 1.9-1.500l1 1"/>`,
  none: svg`<rect x="3" y="3" width="14" height="14" rx="3"/><path d="M3 10h7V3M10 17v-7h7" opacity=".5"/>`,
  colour: svg`<rect x="3" y="3" width="14" height="14" rx="3" fill="currentColor" opacity=".85"/>`,
  gradient: svg`<rect x="3" y="3" width="14" height="14" rx="3"/><path d="M4 13l9-9M4 16.500L16.5 4M8 16.800L16.8 8M12.5 16.800l4.3-4.3" opacity=".55"/>`,
  picture: svg`<rect x="3" y="3.5" width="14" height="13" rx="2.5"/><circle cx="7.5" cy="8" r="1.4"/><path d="M3.5 14.500l4-3.5 3 2.5 3-3 3.5 3.5"/>`,
  blur: svg`<circle cx="10" cy="10" r="2.2" fill="currentColor"/><g stroke-dasharray=".1 3.2"><circle cx="10" cy="10" r="4.8"/><circle cx="10" cy="10" r="7.5" opacity=".7"/></g>`,
  shadow_none: svg`<circle cx="10" cy="9" r="5"/>`,
  shadow_drop: svg`<circle cx="11.5" cy="11.5" r="5" fill="currentColor" stroke="none" opacity=".3"/><circle cx="9" cy="8.5" r="5"/>`,
  shadow_contact: svg`<ellipse cx="10" cy="15.3" rx="6.5" ry="1.8" fill="currentColor" stroke="none" opacity=".4"/><circle cx="10" cy="9" r="5"/>`,
  frame_photo: svg`<rect x="3" y="4.5" width="14" height="11" rx="1.5"/>`,
  frame_crop: svg`<path d="M6 2.500V14h11.500M2.5 6H14v11.5"/>`,
  frame_square: svg`<rect x="4" y="4" width="12" height="12" rx="1.5"/>`,
  frame_tall: svg`<rect x="5.2" y="3.5" width="9.6" height="13" rx="1.5"/>`,
  frame_wide: svg`<rect x="2.5" y="5.9" width="15" height="8.4" rx="1.5"/>`,
  frame_exact: svg`<rect x="4" y="4" width="12" height="12" rx="1.5" stroke-dasharray="2.2 2"/><path d="M7 10h6M10 7v6"/>`,
  left: svg`<path d="M12 4l-6 6 6 6"/>`,
  right: svg`<path d="M8 4l6 6-6 6"/>`,
  close: svg`<path d="M5 5l10 10M15 5L5 15"/>`,
  eye: svg`<path d="M2.5 10S5 5 10 5s7.5 5 7.5 5-2.5 5-7.5 5-7.5-5-7.5-5z"/><circle cx="10" cy="10" r="2.3"/>`,
  invert: svg`<circle cx="10" cy="10" r="7"/><path d="M10 3a7 7 0 0 1 0 14z" fill="currentColor"/>`,
  more: svg`<g fill="currentColor" stroke="none"><circle cx="4.5" cy="10" r="1.5"/><circle cx="10" cy="10" r="1.5"/><circle cx="15.5" cy="10" r="1.5"/></g>`,
  keys: svg`<rect x="2.5" y="5" width="15" height="10" rx="2"/><path d="M5.5 8h.1M8.5 8h.1M11.5 8h.1M14.5 8h.1M7 12h6"/>`,
  warn: svg`<path d="M10 3.500l7 12.500H3z"/><path d="M10 8.500v3.500M10 14.200v.1"/>`,
  swap: svg`<path d="M4 7h11M12 4l3 3-3 3M16 13H5M8 10l-3 3 3 3"/>`,
};

/** @param {string} name */
export function icon(name) {
  return svg`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">${SHAPES[name]}</svg>`;
}
