// The options that new photos get: what was chosen last.
import { signal } from "../vendor/signals/signals-core.js";
import { get, put } from "../app/db.js";

/** @type {import("../vendor/signals/signals-core.js").Signal<import("../app/store.js").Options>} */
export const defaults = signal(/** @type {import("../app/store.js").Options} */ ({}));

/** @type {Promise<void>|undefined} */
let restored;

/** Bring back the choice of an earlier visit, once. */
export function restoreDefaults() {
  restored ??= get("settings", "options").then((kept) => { defaults.value = kept?.value ?? {}; });
  return restored;
}

/** @param {import("../app/store.js").Options} options */
export function setDefaults(options) {
  defaults.value = options;
  put("settings", { key: "options", value: options });
}
