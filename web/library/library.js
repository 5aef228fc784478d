// The library: where photos come in, and, once there are some, the view of all of them.
import { nothing, render } from "../vendor/lit-html/lit-html.js";
import { computed, effect } from "../vendor/signals/signals-core.js";
import { order } from "../app/store.js";
import { hero } from "./hero.js";

const empty = computed(() => order.value.length === 0);

/** @param {HTMLElement} root @returns {{close(): void}} */
export function openLibrary(root) {
  /** @type {{close(): void}|undefined} */
  let batch;
  let closed = false;
  const stop = effect(() => {
    if (!empty.value) { openLoaded(); return undefined; }
    batch?.close();
    batch = undefined;
    return effect(() => { render(hero(), root); });
  });
  async function openLoaded() {
    const { openBatch } = await import("./batch.js");
    // Not in the task that has taken in hundreds of photos.
    await new Promise((done) => setTimeout(done));
    if (closed || batch || empty.peek()) return;
    render(nothing, root);
    batch = openBatch(root);
  }
  return { close() { closed = true; stop(); batch?.close(); render(nothing, root); } };
}
