// Line icons of 20 px.
import { html } from "../vendor/lit-html/lit-html.js";

const PATHS = {
  edit: "M4 16l.8-3.4L13.5 4a1.4 1.4 0 0 1 2 0l.5.5a1.4 1.4 0 0 1 0 2L7.4 15.2z M12 5.5l2.5 2.5",
  download: "M10 3v9 M6 8.5l4 4 4-4 M4 16.5h12",
  retry: "M15.5 7A6.3 6.3 0 1 0 16 11.5 M16 3.5v4h-4",
  remove: "M4 6h12 M8 6V4h4v2 M5.5 6l.7 10.5h7.6L14.5 6",
  stop: "M6 6h8v8H6z",
  alert: "M10 3l7.5 13.5h-15z M10 8v4 M10 14.3v.1",
  folder: "M3 5.5h5l1.5 2H17v8.5H3z",
  photo: "M3 4.5h14v11H3z M3 13l4-4 4 4 2.5-2.5L17 14 M13 8h.1",
  lock: "M5 9h10v7.5H5z M7 9V7a3 3 0 0 1 6 0v2",
  image: "M3 4.5h14v11H3z",
  list: "M8 5h9 M8 10h9 M8 15h9 M3.5 5h.1 M3.5 10h.1 M3.5 15h.1",
  looks: "M3 6h7 M14 6h3 M3 14h3 M10 14h7 M12 4a2 2 0 1 1 0 4 2 2 0 0 1 0-4z M8 12a2 2 0 1 1 0 4 2 2 0 0 1 0-4z",
  close: "M5 5l10 10 M15 5L5 15",
};

/** @param {keyof typeof PATHS} name */
export function icon(name) {
  return html`<svg viewBox="0 0 20 20" aria-hidden="true"><path d=${PATHS[name]}/></svg>`;
}
