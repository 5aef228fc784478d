/**
 * Guides of a passport photo: the person sets crown and chin, and sees whether the head has the height that is asked for.
 */
import { html } from "../vendor/lit-html/lit-html.js";
import { computed, effect, signal } from "../vendor/signals/signals-core.js";
import { speaker, t } from "../app/i18n/index.js";
import { slider } from "./toolbar.js";

/** @typedef {import("./session.js").Session} Session */

/** The head's height, as shares of the photo's, by the preset's name: 32 to 36 of 45 mm, and 1 to 1⅜ of 2 inches. */
const HEADS = /** @type {{[preset: string]: [number, number]}} */ ({ passport: [32 / 45, 36 / 45], passport_us: [0.5, 0.6875] });
/** Where crown and chin are in most portraits, in shares of the subject's height. */
const CHIN = 0.55;
const SMALLEST_SCALE = 10;

export class Guides {
  /** Places in px of the photo; null until they were set. */
  crown = signal(/** @type {number | null} */ (null));
  chin = signal(/** @type {number | null} */ (null));

  /** @param {Session} session @param {{value: import("./options.js").Preset | undefined}} preset the one in use */
  constructor(session, preset) {
    this.session = session;
    this.preset = preset;
    const { look } = session;
    const subject = () => look.subject.value ?? { x: 0, y: 0, width: session.document.width, height: session.document.height };
    /** The heights that the preset in use allows; null where it is about no head. */
    this.allowed = computed(() => HEADS[preset.value?.name ?? ""] ?? null);
    this.lines = computed(() => {
      const { y, height } = subject();
      return { crown: this.crown.value ?? y, chin: this.chin.value ?? y + CHIN * height };
    });
    /** The head's height as a share of the canvas's. */
    this.share = computed(() => (this.lines.value.chin - this.lines.value.crown) / look.layout.value.frame.height);
    this.close = effect(() => {
      const { crown, chin } = this.lines.value;
      session.lines.value = this.allowed.value ? [{ y: crown, label: t("ed_crown") }, { y: chin, label: t("ed_chin") }] : [];
    });
  }

  get fits() {
    const [least, most] = this.allowed.value ?? [0, 1];
    return this.share.value >= least - 0.002 && this.share.value <= most + 0.002;
  }

  /** Choose the subject's size so that the head has the middle of the heights that are allowed, as far as that goes. */
  fit() {
    const { look } = this.session;
    const subject = look.subject.value;
    if (!this.allowed.value || !subject) return;
    const { width, height } = look.layout.value;
    const wanted = ((this.allowed.value[0] + this.allowed.value[1]) / 2) * height;
    const zoom = wanted / Math.max(1, this.lines.value.chin - this.lines.value.crown);
    const scale = (100 * zoom) / Math.min(width / subject.width, height / subject.height);
    this.session.set({ scale: `${Math.min(100, Math.max(SMALLEST_SCALE, Math.round(10 * scale) / 10))}%` });
  }

  view() {
    if (!this.allowed.value) return html``;
    const { height } = this.session.document;
    const percent = (/** @type {number} */ share) => speaker().number(share, { style: "percent", maximumFractionDigits: 0 });
    const [least, most] = this.allowed.value;
    const line = (/** @type {"crown" | "chin"} */ name) => slider({
      label: `ed_${name}`, value: Math.round(this.lines.value[name]), min: 0, max: height, shown: t("ed_px", { count: Math.round(this.lines.value[name]) }),
      set: (value) => { this[name].value = value; },
    });
    return html`<div class="ed-guides">${line("crown")}${line("chin")}
      <p class="small ${this.fits ? "good" : "warn"}">${t(this.fits ? "ed_head_fits" : "ed_head_off", { share: percent(this.share.value), least: percent(least), most: percent(most) })}</p>
      ${this.fits ? html`` : html`<button type="button" class="button" @click=${() => this.fit()}>${t("ed_head_fit")}</button>
        <p class="soft small">${t("ed_head_hint")}</p>`}
    </div>`;
  }
}
