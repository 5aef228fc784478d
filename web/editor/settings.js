/** The tools' settings, kept on this device. */
import { effect, signal } from "../vendor/signals/signals-core.js";
import * as db from "../app/db.js";

const KEY = "editor";

export const tool = signal("brush");
/** "erase", "restore" or "keep". */
export const mode = signal("erase");
/** Diameter in px of the picture. */
export const size = signal(48);
export const hardness = signal(0.8);
export const opacity = signal(1);
/** 0 to 100. */
export const tolerance = signal(16);
/** px, 0 to 50. */
export const feather = signal(0);
/** px, -20 to 20. */
export const grow = signal(0);
export const contiguous = signal(true);
/** Whether the smart brush always asks the server, as hair needs it. */
export const sampleHair = signal(false);
export const overlay = signal(/** @type {"none" | "red" | "outline" | "mask"} */ ("none"));
/** Whether keys without Ctrl act. */
export const shortcuts = signal(true);

/** What comes back in the next visit; what is shown over the picture and the tool do not. */
const KEPT = /** @type {{[name: string]: import("../vendor/signals/signals-core.js").Signal<any>}} */ ({
  size, hardness, opacity, tolerance, feather, grow, contiguous, sampleHair, shortcuts,
});

/** @type {Promise<void> | undefined} */
let loading;

/** Bring the settings of earlier visits back, once. */
export function loadSettings() {
  loading ??= (async () => {
    const kept = (await db.get("settings", KEY)) ?? {};
    for (const [name, setting] of Object.entries(KEPT)) if (typeof kept[name] === typeof setting.peek()) setting.value = kept[name];
    effect(save);
  })();
  return loading;
}

let timer = 0;

function save() {
  const values = Object.fromEntries(Object.entries(KEPT).map(([name, setting]) => [name, setting.value]));
  clearTimeout(timer);
  timer = setTimeout(() => db.put("settings", { key: KEY, ...values }), 300);
}
