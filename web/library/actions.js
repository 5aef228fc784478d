// What a person does with photos: take in, open, download, change, remove.
import { say } from "../app/announce.js";
import { knownFacts } from "../app/api.js";
import { part } from "../app/connection.js";
import { get, put } from "../app/db.js";
import { t } from "../app/i18n/index.js";
import { go } from "../app/router.js";
import { add, all } from "../app/store.js";
import { signal } from "../vendor/signals/signals-core.js";
import { examine, filesIn, identity } from "./intake.js";
import { keepWaiting, pump } from "./sender.js";

/** What was left out of the last intake. */
export const leftOut = signal(/** @type {{others: string[], twice: number}|undefined} */ (undefined));
/** Errors of photos whose bytes are missing. */
const LOST = new Set(["photo_gone", "result_expired", "unreadable_file"]);
/** Files that are being looked into. */
export const looking = signal(0);

/** The options that new photos get: what was chosen last. @type {import("../vendor/signals/signals-core.js").Signal<import("../app/store.js").Options>} */
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

/** Take files in. A first photo that comes alone goes straight to the model and opens; others become jobs. @param {import("./drop.js").Dropped[]} items */
export async function takeIn(items) {
  const found = await filesIn(items);
  looking.value += found.length;
  try {
    const known = await knownFacts();
    await restoreDefaults();
    const here = new Map(all().map((doc) => [identity(doc, doc.bytes), doc]));
    const lost = new Map([...here].filter(([, doc]) => doc.state === "failed" && LOST.has(doc.error?.code ?? "")));
    const { photos: taken, others, twice } = await examine(found, known, new Set([...here.keys()].filter((key) => !lost.has(key))));
    leftOut.value = others.length || twice ? { others, twice } : undefined;
    const photos = lost.size ? (await part(() => import("./retry.js"))).bringBack(taken, lost) : taken;
    if (!photos.length) {
      if (taken.length) pump();
      else say(t("nothing_added"));
      return;
    }
    const single = photos.length === 1 && !photos[0].error && !all().length;
    const docs = add(photos.map((photo) => ({ ...photo, options: { ...defaults.peek() }, direct: single || undefined })));
    say(t("added", { count: docs.length }));
    // Many photos are shown before they are sent.
    if (!single) await new Promise((done) => setTimeout(done));
    keepWaiting(docs.map((doc) => doc.id));
    pump();
    if (single) openEditorOf(docs[0].id);
  } finally {
    looking.value -= found.length;
  }
}

/** @param {string} id */
export function openEditorOf(id) {
  go({ name: "edit", id });
}
