// Whether the server answers. Shown in every view; everything that waits goes on by itself.
import { signal } from "../vendor/signals/signals-core.js";
import { notify } from "./announce.js";
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

/** Whether an error comes from a lost connection. A file of the page that is not loaded does not say why. @param {unknown} error */
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

/** A part of the page that is loaded when it is needed: at once, or when the server answers. @template T @param {() => Promise<T>} load @returns {Promise<T>} */
export async function part(load) {
  for (let tries = 0; ;) {
    try {
      return await load();
    } catch (error) {
      if (await isOffline(error)) await whenReachable();
      // The connection may be back already. If it fails again, its file is of another build: the page is older than the server.
      else if (tries++) {
        notify(t("reload_page"));
        throw error;
      }
    }
  }
}

/** A function of such a part, to be called while drawing: nothing until it is there. @template {(...values: any[]) => unknown} F @param {() => Promise<F>} load */
export function loadedLater(load) {
  const loaded = signal(/** @type {F|undefined} */ (undefined));
  let asked = false;
  return (/** @type {Parameters<F>} */ ...values) => {
    if (!asked) part(load).then((found) => { loaded.value = found; }, () => undefined);
    asked = true;
    return loaded.value?.(...values);
  };
}

export function startConnection() {
  reachable.subscribe((is) => { if (!is) askAgain(); });
  addEventListener("offline", () => { reachable.value = false; });
  addEventListener("online", () => { request("/health/live").catch(() => undefined); });
}
