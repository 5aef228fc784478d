/** The icons of what follows the brush. */
import { svg } from "../vendor/lit-html/lit-html.js";
import { drawn } from "./icons.js";

/** @type {{[name: string]: unknown}} */
const SHAPES = {
  none: svg`<rect x="3" y="3" width="14" height="14" rx="3"/><path d="M3 10h7V3M10 17v-7h7" opacity=".5"/>`,
  colour: svg`<rect x="3" y="3" width="14" height="14" rx="3" fill="currentColor" opacity=".85"/>`,
  gradient: svg`<rect x="3" y="3" width="14" height="14" rx="3"/><path d="M4 13l9-9M4 16.5L16.5 4M8 16.8L16.8 8M12.5 16.8l4.3-4.3" opacity=".55"/>`,
  picture: svg`<rect x="3" y="3.5" width="14" height="13" rx="2.5"/><circle cx="7.5" cy="8" r="1.4"/><path d="M3.5 14.5l4-3.5 3 2.5 3-3 3.5 3.5"/>`,
  blur: svg`<circle cx="10" cy="10" r="2.2" fill="currentColor"/><g stroke-dasharray=".1 3.2"><circle cx="10" cy="10" r="4.8"/><circle cx="10" cy="10" r="7.5" opacity=".7"/></g>`,
  shadow_none: svg`<circle cx="10" cy="9" r="5"/>`,
  shadow_drop: svg`<circle cx="11.5" cy="11.5" r="5" fill="currentColor" stroke="none" opacity=".3"/><circle cx="9" cy="8.5" r="5"/>`,
  shadow_contact: svg`<ellipse cx="10" cy="15.3" rx="6.5" ry="1.8" fill="currentColor" stroke="none" opacity=".4"/><circle cx="10" cy="9" r="5"/>`,
  frame_photo: svg`<rect x="3" y="4.5" width="14" height="11" rx="1.5"/>`,
  frame_crop: svg`<path d="M6 2.5V14h11.5M2.5 6H14v11.5"/>`,
  frame_square: svg`<rect x="4" y="4" width="12" height="12" rx="1.5"/>`,
  frame_tall: svg`<rect x="5.2" y="3.5" width="9.6" height="13" rx="1.5"/>`,
  frame_wide: svg`<rect x="2.5" y="5.9" width="15" height="8.4" rx="1.5"/>`,
  frame_exact: svg`<rect x="4" y="4" width="12" height="12" rx="1.5" stroke-dasharray="2.2 2"/><path d="M7 10h6M10 7v6"/>`,
  copy: svg`<rect x="7" y="7" width="9.5" height="9.5" rx="2"/><path d="M13 7V5.5a2 2 0 0 0-2-2H5.5a2 2 0 0 0-2 2V11a2 2 0 0 0 2 2H7"/>`,
  right: svg`<path d="M8 4l6 6-6 6"/>`,
  close: svg`<path d="M5 5l10 10M15 5L5 15"/>`,
  warn: svg`<path d="M10 3.5l7 12.5H3z"/><path d="M10 8.5v3.5M10 14.2v.1"/>`,
};

/** @param {string} name */
export function laterIcon(name) {
  return drawn(SHAPES[name]);
}
