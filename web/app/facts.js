// What this server offers; the page waits for it where it must.
import { signal } from "../vendor/signals/signals-core.js";
import { studioFacts } from "./api.js";

/** @typedef {import("./api.js").StudioFacts} StudioFacts */

/** @type {import("../vendor/signals/signals-core.js").Signal<StudioFacts|undefined>} */
export const facts = signal(/** @type {StudioFacts|undefined} */ (undefined));
const AGAIN_MS = 2000;

/** Ask until the server answers. @returns {Promise<StudioFacts>} */
export async function knownFacts() {
  for (;;) {
    try {
      return facts.value = await studioFacts();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** The options that a preset stands for. @param {import("./api.js").Preset} preset @returns {{[name: string]: string}} */
export function optionsOf(preset) {
  const options = preset.options ?? preset;
  return Object.fromEntries(Object.entries(options).filter(([, value]) => typeof value !== "object").map(([name, value]) => [name, String(value)]));
}
