// Several tabs of one browser: they show the same documents, and one of them listens to the server.
import { signal } from "../vendor/signals/signals-core.js";

const LEASE = "studio-leader";
const RENEW_MS = 2000;
const EXPIRED_MS = 6000;
/** What the lock of an open tab is called, before its id. */
export const LOCK = "studio-tab-";

/** Stays the same when the tab is reloaded. */
export const TAB = tabId();
/** Whether this tab listens for all of them. */
export const leads = signal(false);

const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("studio") : undefined;
/** @type {Map<string, (data: any) => void>} */
const heard = new Map();
// From the first moment: what is said while the page loads is not said again.
channel?.addEventListener("message", ({ data }) => {
  if (data.kind === "who") broadcast("here", TAB);
  else heard.get(data.kind)?.(data.data);
});

/** Send something to the other tabs. @param {string} kind @param {any} data */
export function broadcast(kind, data) {
  channel?.postMessage({ kind, data, from: TAB });
}

/** @param {string} kind @param {(data: any) => void} listener */
export function hear(kind, listener) {
  heard.set(kind, listener);
}

export function startTabs() {
  // Held for as long as the tab is open. Over plain HTTP there are no locks: tabs answer each other instead.
  navigator.locks?.request(`${LOCK}${TAB}`, () => new Promise(() => undefined));
  renew();
  setInterval(renew, RENEW_MS);
  addEventListener("storage", (event) => { if (event.key === LEASE) renew(); });
  addEventListener("pagehide", () => { if (leads.peek()) forget(); });
  addEventListener("pageshow", renew);
}

function renew() {
  const lease = read();
  const free = !lease || lease.tab === TAB || Date.now() - lease.at > EXPIRED_MS;
  if (free) write();
  leads.value = free;
}

/** @returns {{tab: string, at: number}|null} */
function read() {
  try { return JSON.parse(localStorage.getItem(LEASE) ?? "null"); } catch { return null; }
}

function write() {
  try { localStorage.setItem(LEASE, JSON.stringify({ tab: TAB, at: Date.now() })); } catch { /* each tab leads itself */ }
}

function forget() {
  try { localStorage.removeItem(LEASE); } catch { /* nothing is kept */ }
}

/** An id that nothing else has; `crypto.randomUUID` is not there over plain HTTP. */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function tabId() {
  const fresh = newId();
  try {
    // A duplicated tab copies the session's storage: the id is taken out while the page is open.
    const kept = sessionStorage.getItem("tab");
    const takeOut = () => sessionStorage.removeItem("tab");
    takeOut();
    addEventListener("pagehide", () => sessionStorage.setItem("tab", kept ?? fresh));
    addEventListener("pageshow", takeOut);
    return kept ?? fresh;
  } catch {
    return fresh;
  }
}
