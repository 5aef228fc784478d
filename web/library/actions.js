// What a person does with photos: take in, open, download, change, remove.
import { say } from "../app/announce.js";
import { knownFacts } from "../app/facts.js";
import { t } from "../app/i18n/index.js";
import { go } from "../app/router.js";
import { add, all, dispatch, patch, photos as photoBlobs } from "../app/store.js";
import { TAB } from "../app/tabs.js";
import { signal } from "../vendor/signals/signals-core.js";
import { defaults, restoreDefaults } from "./defaults.js";
import { examine, filesIn, identity } from "./intake.js";
import { keepWaiting, pump } from "./sender.js";

/** @typedef {import("../app/store.js").Doc} Doc */

/** What was left out of the last intake. */
export const leftOut = signal(/** @type {{others: string[], twice: number}|undefined} */ (undefined));
/** Errors of photos whose bytes are missing. */
const LOST = new Set(["photo_gone", "result_expired", "unreadable_file"]);
/** Files that are being looked into. */
export const looking = signal(0);

/** Take files in. A first photo that comes alone goes straight to the model and opens; others become jobs. @param {import("./drop.js").Dropped[]} items */
export async function takeIn(items) {
  const found = await filesIn(items);
  if (!found.length) return;
  looking.value += found.length;
  try {
    const known = await knownFacts();
    await restoreDefaults();
    const here = new Map(all().map((doc) => [identity(doc, doc.bytes), doc]));
    const lost = new Map([...here].filter(([, doc]) => doc.state === "failed" && LOST.has(doc.error?.code ?? "")));
    const { photos: taken, others, twice } = await examine(found, known, new Set([...here.keys()].filter((key) => !lost.has(key))));
    leftOut.value = others.length || twice ? { others, twice } : undefined;
    const photos = taken.filter((photo) => !bringBack(photo, lost));
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

/** The bytes of a photo that was lost are here once more: it goes on. @param {import("./intake.js").Photo} photo @param {Map<string, Doc>} lost */
function bringBack(photo, lost) {
  const doc = lost.get(identity(photo, photo.blob.size));
  if (!doc) return false;
  photoBlobs.set(doc.id, photo.blob);
  patch(doc.id, { tab: TAB });
  dispatch(doc.id, { type: "retry" });
  keepWaiting([doc.id]);
  return true;
}

/** @param {string} id */
export function openEditorOf(id) {
  go({ name: "edit", id });
}
