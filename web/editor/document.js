/** An open document: photo, mask, history, options and view, saved as they change. */
import { signal } from "../vendor/signals/signals-core.js";
import { ApiError } from "../app/api.js";
import { part } from "../app/connection.js";
import { matteOf, photoOf, shownOf } from "../app/photos.js";
import { docOf, patch } from "../app/store.js";
import { Autosave, savedState } from "./autosave.js";
import { DESKTOP_BUDGET, History, PHONE_BUDGET } from "./core/history.js";
import { decodeMask } from "./core/png_read.js";
import { Lease } from "./lease.js";
import { loadComposing } from "./look.js";
import { loadSettings } from "./settings.js";
import { startWork } from "./work.js";

/** @typedef {import("./core/mask.js").Mask} Mask */
/** @typedef {{scale: number, x: number, y: number}} View */
/** @typedef {"saved" | "saving" | "off"} Saved */

/** Phones get a smaller photo from this size on. */
const PHONE_PIXELS = 16e6;
const PROXY_PIXELS = 8e6;

/** Saves of documents that were left. @type {Map<string, Promise<unknown>>} */
const leaving = new Map();

/** Open a document. @param {string} id @param {(photo: ImageBitmap) => void} [onPhoto] called with the photo, mostly while the model works @returns {Promise<EditorDocument>} */
export async function openDocument(id, onPhoto) {
  await leaving.get(id);
  const lease = new Lease(id);
  try {
    const [[photo, mask, state], readOnly] = await Promise.all([load(id, onPhoto), lease.take(), loadSettings()]);
    const document = new EditorDocument({ id, photo, mask, state, lease });
    document.readOnly.value = readOnly;
    return document;
  } catch (error) {
    lease.close();
    throw error;
  }
}

export class EditorDocument {
  options = signal(/** @type {{[name: string]: string}} */ ({}));
  view = signal(/** @type {View | null} */ (null));
  saved = signal(/** @type {Saved} */ ("saved"));
  /** Whether another tab has this document. */
  readOnly = signal(false);
  /** @type {ReturnType<typeof startWork> | undefined} */
  #later;

  /** @param {{id: string, photo: ImageBitmap, mask: Mask, state: Awaited<ReturnType<typeof savedState>>, lease: Lease}} parts */
  constructor({ id, photo, mask, state, lease }) {
    const doc = docOf(id);
    this.id = id;
    this.name = doc?.name ?? "";
    this.width = mask.width;
    this.height = mask.height;
    this.photo = photo;
    this.mask = mask;
    this.lease = lease;
    this.work = startWork();
    this.history = new History(mask, { budget: isPhone() ? PHONE_BUDGET : DESKTOP_BUDGET, deflate: (bytes) => this.later.run("deflate", bytes) });
    if (state) this.history.restore(state.entries, state.depth);
    this.history.whole = state?.whole ?? !doc?.edit;
    // The list may have changed them since it received the edit.
    this.options.value = (doc?.draft && state?.options) || doc?.options || {};
    this.view.value = state?.view ?? null;
    this.autosave = new Autosave(this, state);
    lease.onLost = async () => {
      await this.autosave.flush();
      this.readOnly.value = true;
    };
  }

  /** The worker for background tasks, so that strokes do not wait for them. */
  get later() {
    this.#later ??= startWork();
    return this.#later;
  }

  /** Save what is left and let the document go. */
  close() {
    const saving = this.autosave.close();
    this.lease.close();
    leaving.set(this.id, saving);
    saving.finally(() => {
      this.work.close();
      this.#later?.close();
    });
    this.photo.close();
    return saving;
  }
}

/** @param {string} id @param {((photo: ImageBitmap) => void)|undefined} onPhoto @returns {Promise<[ImageBitmap, Mask, Awaited<ReturnType<typeof savedState>>]>} */
async function load(id, onPhoto) {
  const state = await savedState(id);
  // Decoded while the model works; phones wait for the size, and decode less.
  const early = isPhone() ? null : decoded(await photoOf(id));
  early?.then((photo) => photo && onPhoto?.(photo));
  if (docOf(id)?.decodes === undefined) {
    const decodes = Boolean(await (early ?? decoded(await photoOf(id))));
    patch(id, { decodes });
  }
  // The first frame has the canvas and the ground that options ask for.
  const asks = Object.keys({ ...docOf(id)?.options, ...state?.options }).length;
  const [mask] = await Promise.all([state?.mask ?? matteOf(id).then(decodeMask), asks && loadComposing()]);
  const photo = (await early) ?? (await photoFor(id, mask));
  return [photo, mask, state];
}

/** Return the photo as the stage shows it: upright, smaller on phones. @param {string} id @param {Mask} mask */
async function photoFor(id, mask) {
  const large = isPhone() && mask.width * mask.height > PHONE_PIXELS;
  const scale = large ? Math.sqrt(PROXY_PIXELS / (mask.width * mask.height)) : 1;
  const size = large ? { resizeWidth: Math.round(mask.width * scale), resizeHeight: Math.round(mask.height * scale) } : undefined;
  const photo = await decoded(await shownOf(id), size);
  if (photo) return photo;
  const { jpegOf } = await part(() => import("../app/model.js"));
  const other = await decoded(await jpegOf(id), size);
  if (!other) throw new ApiError({ status: 0, code: "not_decoded", text: "The photo cannot be shown" });
  return other;
}

/** @param {Blob} blob @param {ImageBitmapOptions} [size] @returns {Promise<ImageBitmap | null>} */
async function decoded(blob, size = {}) {
  try {
    // Browsers show these as they lie.
    if (blob.type === "image/webp" && (await (await import("./core/webp.js")).isTurned(blob))) return null;
    return await createImageBitmap(blob, { imageOrientation: "from-image", ...size });
  } catch {
    return null;
  }
}

export function isPhone() {
  return matchMedia("(pointer: coarse) and (max-width: 900px)").matches;
}
