// The options that new photos get: what was chosen last.
import { signal } from "../vendor/signals/signals-core.js";
import { get, put } from "../app/db.js";

/** @type {import("../vendor/signals/signals-core.js").Signal<import("../app/store.js").Options>} */
export const defaults = signal(/** @type {import("../app/store.js").Options} */ ({}));

export async function restoreDefaults() {
  defaults.value = (await get("settings", "options"))?.value ?? {};
}

/** @param {import("../app/store.js").Options} options */
export function setDefaults(options) {
  defaults.value = options;
  put("settings", { key: "options", value: options });
}
