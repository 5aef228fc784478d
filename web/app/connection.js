// Whether the server answers. Shown in every view; everything that waits goes on by itself.
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { signal } from "../vendor/signals/signals-core.js";
import { ApiError, reachable, request } from "./api.js";
import { t } from "./i18n/index.js";

const LONGEST_SECONDS = 15;

/** Whether the stream of events is lost and asked for again. */
export const reconnecting = signal(false);
let asking = false;

async function askAgain() {
  if (asking) return;
  asking = true;
  for (let seconds = 1; !reachable.peek(); seconds = Math.min(LONGEST_SECONDS, seconds * 2)) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    await request("/health/live").catch(() => undefined);
  }
  asking = false;
}

/** Whether an error comes of a lost connection. A file of the page that is not loaded does not say why. @param {unknown} error */
export async function isOffline(error) {
  if (error instanceof ApiError) return error.status === 0;
  return request("/health/live").then(() => false, () => !reachable.peek());
}

/** Resolves when the server answers. @returns {Promise<void>} */
export function whenReachable() {
  return new Promise((resolve) => {
    const stop = reachable.subscribe((is) => {
      if (is) queueMicrotask(() => { stop(); resolve(); });
    });
  });
}

export function startConnection() {
  reachable.subscribe((is) => { if (!is) askAgain(); });
  addEventListener("offline", () => { reachable.value = false; });
  addEventListener("online", () => { request("/health/live").catch(() => undefined); });
}

export function connectionBanner() {
  if (reachable.value && !reconnecting.value) return nothing;
  return html`<aside class="notice warn banner" aria-label=${t("connection")}><svg viewBox="0 0 20 20" aria-hidden="true"><path d="M10 3l7.5 13.5h-15z M10 8v4 M10 14.3v.1"/></svg>
    <span><strong>${t("reconnecting")}</strong> ${t("reconnecting_text")}</span></aside>`;
}
