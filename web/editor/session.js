/**
 * One open document with everything that acts on it: what the views read and what their buttons do.
 */
import { batch, computed, effect, signal } from "../vendor/signals/signals-core.js";
import { notify, say } from "../app/announce.js";
import { part } from "../app/connection.js";
import { t } from "../app/i18n/index.js";
import { go } from "../app/router.js";
import { keep, matteOf } from "../app/photos.js";
import { patch, peek } from "../app/store.js";
import { saver } from "./autosave.js";
import { inflating } from "./core/history.js";
import { Exports } from "./exports.js";
import { changed, presetList, withoutName } from "./options.js";
import { idleTime, loadComposing, painted } from "./look.js";
import { NOTHING } from "./picture.js";
import * as settings from "./settings.js";
import { createTools } from "./tools/index.js";

/** @typedef {import("../app/api.js").StudioFacts} StudioFacts */
/** @typedef {"nothing" | "unsure" | null} Doubt */

export class Session {
  settings = settings;
  /** Whether a picture is about to be chosen as background. */
  pickingPicture = signal(false);
  panel = signal("cut");
  /** What the model left open. */
  doubt = signal(/** @type {Doubt} */ (null));
  /** Counts changes of the history, which has no signal of its own. */
  #changes = signal(0);
  /** @type {Blob | null} */
  pictureFile = null;
  #edited;
  /** Whether the mask is the model's own. */
  #isModels;

  /** @param {string} id @param {import("./picture.js").Picture} picture @param {import("./stage.js").Stage} stage @param {StudioFacts | null} facts */
  constructor(id, picture, stage, facts) {
    const { document } = picture;
    this.id = id;
    this.#isModels = document.history.whole && !document.history.entries.length;
    // The list gets a draft of an earlier visit together with this edit.
    this.#edited = Boolean(peek(id)?.draft);
    this.picture = picture;
    this.stage = stage;
    this.document = document;
    this.viewport = picture.viewport;
    this.look = picture.look;
    this.compare = picture.compare;
    this.overlay = picture.overlay;
    this.lines = picture.lines;
    this.facts = facts;
    this.name = /** @type {string} */ (document.name ?? peek(id)?.name ?? "");
    this.presets = presetList(facts?.presets ?? {});
    this.options = document.options;
    document.autosave.reword(withoutName(this.options.value, this.presets));
    this.exports = new Exports(this);
    // The picture is seen before the tools get ready.
    const idle = painted().then(idleTime);
    const { tools, arrived, all, stop: stopTools } = createTools({ document, settings, overlay: this.overlay, viewport: this.viewport, say, facts, idle });
    this.tools = tools;
    /** Grows with each tool that is loaded. */
    this.arrived = arrived;
    this.#restOfTools = all;
    this.say = say;
    this.history = computed(() => {
      this.#changes.value;
      const { canUndo, canRedo, depth } = document.history;
      return { canUndo, canRedo, depth };
    });
    const unsubscribe = document.history.onChange(() => this.#changed());
    const stopOptions = effect(() => {
      this.options.value;
      if (this.#opened) this.touched();
    });
    this.#opened = true;
    const stopView = effect(() => this.#keepView());
    const ground = peek(id)?.ground;
    // `part` has said why what refuses it is not loaded.
    if (ground) this.showPicture(ground).catch(() => undefined);
    this.#limit().catch(() => undefined);
    this.close = () => {
      stopTools();
      for (const tool of this.tools.values()) tool.stop?.();
      this.#keepEdit();
      unsubscribe();
      stopOptions();
      stopView();
      this.exports.close();
    };
  }

  #opened = false;

  /** Whether all that follows the brush is loaded. */
  complete = signal(false);
  #restOfTools;

  /** Load what follows the brush, one after another, so that it is there when the server is not. @param {(() => Promise<void>)[]} first */
  follow(first) {
    // `part` has said why something is not loaded.
    this.#follow(first).then(() => { this.complete.value = true; }, () => undefined);
  }

  /** @param {(() => Promise<void>)[]} first */
  async #follow(first) {
    await painted();
    (await saver()).forgetOld(this.id).catch(() => undefined);
    await part(loadComposing);
    for (const load of first) await load();
    await this.exports.load();
    await this.stage.overlay?.load();
    await part(() => Promise.all([import("./keep.js"), inflating()]));
    await this.#restOfTools();
    await part(() => this.document.work.run("load"));
  }

  async #keepEdit() {
    if (!this.#edited) return;
    const { document, id } = this;
    const options = this.options.value;
    try {
      // The draft is written before the list gets it.
      const [{ keepEdit }, isHeld] = await Promise.all([import("./keep.js"), document.lease.isHeld(), document.autosave.flush()]);
      // Where another tab has taken the photo, its edit is newer.
      if (isHeld && !document.readOnly.peek()) await keepEdit(id, document.mask, options);
    } catch {
      notify(t("ed_batch_failed"));
    }
  }

  /** Parts that are transparent in the photo itself do not belong to the subject. */
  async #limit() {
    if (peek(this.id)?.type === "image/jpeg") return;
    await painted();
    const { ownAlpha } = await import("./gl/own_alpha.js");
    const own = await ownAlpha(this.document.photo, this.document.mask);
    if (own) this.look.limit(own);
  }

  /** Keep the view with the edit; a photo that was only viewed is not kept. */
  #keepView() {
    const { scale, x, y } = this.viewport;
    const view = { scale: scale.value, x: x.value, y: y.value };
    if (!this.#edited) return;
    this.document.view.value = this.viewport.fitted ? null : view;
  }

  /** Note that the person has changed something. */
  touched() {
    this.#edited = true;
    // The person has not got this edit.
    if (peek(this.id)?.exportedAt) patch(this.id, { exportedAt: undefined });
  }

  /** Keep the model's mask, which can be gone back to: the job gets the edited one. */
  async #keepOwn() {
    this.#isModels = false;
    if (peek(this.id)?.job) keep(this.id, { matte: await matteOf(this.id) });
  }

  #changed() {
    this.touched();
    if (this.#isModels) this.#keepOwn().catch(() => undefined);
    this.#changes.value++;
    if (this.doubt.peek() === "nothing" && this.look.small.update().kept() > NOTHING) this.doubt.value = null;
  }

  /** @param {{[name: string]: string | number | undefined}} changes */
  set(changes) {
    this.options.value = changed(this.options.value, changes);
  }

  /** @param {string} name */
  choose(name) {
    this.settings.tool.value = name;
    this.compare.mode.value = this.compare.mode.value === "split" && name !== "hand" ? "off" : this.compare.mode.value;
  }

  leave() {
    go({ name: "library" });
  }

  /** @param {"undo" | "redo"} step */
  step(step) {
    if (!this.document.readOnly.peek()) this.document.history[step]();
  }

  /** @param {import("./picture.js").CompareMode} mode */
  compareBy(mode) {
    this.compare.mode.value = mode;
    const { width, height } = this.viewport.stage;
    this.viewport.arrange(mode !== "sides" ? "none" : width >= height ? "columns" : "rows");
  }

  /** Show a picture behind the subject, or none. Returns whether it could be shown. @param {Blob | null} file */
  async showPicture(file) {
    const old = this.look.picture.value;
    const made = file ? await createImageBitmap(file).catch(() => null) : null;
    if (file && !made) {
      (await this.exports.load()).refusePicture();
      return false;
    }
    batch(() => {
      this.pictureFile = file;
      this.look.picture.value = made;
      this.pickingPicture.value = false;
    });
    old?.close();
    return true;
  }

  /** Do something to the whole mask. @param {(actions: import("./tools/actions.js").Actions) => unknown} run */
  async whole(run) {
    const { createActions } = await part(() => import("./tools/actions.js"));
    return run(createActions(this));
  }
}
