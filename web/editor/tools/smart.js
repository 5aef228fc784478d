/** The smart brush: the stroke is a hint; the edge beside it is found in the photo's colours. */
import { refine } from "../../app/api.js";
import { t } from "../../app/i18n/index.js";
import { effect } from "../../vendor/signals/signals-core.js";
import { errorText } from "../../library/failures.js";
import { clip, Mask } from "../core/mask.js";
import { decode, encode, encodeRows } from "../core/png8.js";
import { Stroke } from "../core/raster.js";
import { pixels } from "../core/work.js";
import { Brush, forceOf } from "./brush.js";

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./context.js").Place} Place */
/** @typedef {import("../core/mask.js").Rect} Rect */
/** @typedef {{rect: Rect, width: number, height: number, scale: number, sure: Uint8Array, band: Uint8Array, target: number}} Hint the stroke on
 *   a grid of width × height: where it is sure, and the band in which its edge is sought */

/** Diameters, by the brush's: the sure middle of the stroke, and the band around it. */
const SURE = 0.5;
const BAND = 1.5;
/** Beyond the band the mask is known this far, by the brush's radius. */
const RING = 0.6;
const LOCAL_PIXELS = 1e6;
const SERVER_PIXELS = 4e6;
/** So many uncertain levels in the band are the server's business. */
const UNCERTAIN = 0.15;
/** Half the length of the strokes that warm up, in px, and how many. */
const WARM = 100;
const WARM_ROUNDS = 4;

export class SmartBrush extends Brush {
  /** @override */
  name = "smart";
  /** @type {Place[]} */
  #places = [];
  #target = 0;
  /** Counts strokes, so that a late answer does not touch a later one. */
  #turn = 0;
  #warm = false;

  /** @param {Context} context */
  constructor(context) {
    super(context);
    this.stop = effect(() => {
      if (context.settings.tool.value === this.name) this.#warmUp().catch(() => undefined);
    });
  }

  /** Find an edge where nobody sees it, when the tool is chosen: the first strokes run before the browser has compiled what they need. */
  async #warmUp() {
    if (this.#warm) return;
    this.#warm = true;
    // Once all tools are made.
    await null;
    await this.context.ready;
    const { width, height } = this.context.document;
    const [x, y] = [width / 2, height / 2];
    const places = [{ x: x - WARM, y }, { x: x + WARM, y }];
    for (let i = 0; i < WARM_ROUNDS; i++) {
      const hint = this.#hint(places, WARM / 2, LOCAL_PIXELS);
      const old = read(this.context.document.mask, hint);
      const levels = await this.#local(hint, old, WARM / 2).catch(() => old);
      merged(hint, old, levels);
      uncertain(hint, levels);
    }
  }

  /** @param {Place} place @override */
  begin(place) {
    this.#turn++;
    // A stroke that is still being worked on stays as it was painted.
    this.finish();
    this.#places = [];
    this.#target = this.context.target(place);
    super.begin(place);
  }

  /** @param {Place[]} places @override */
  move(places) {
    super.move(places);
    this.#places.push(...places);
  }

  /** @param {Place} _place @override */
  async end(_place) {
    const painted = this.active;
    if (!painted) return;
    const turn = this.#turn;
    const { document, settings } = this.context;
    const radius = (settings.size.value / 2) * Math.max(...this.#places.map(forceOf));
    const hint = this.#hint(this.#places, radius, LOCAL_PIXELS);
    const old = before(document.mask, painted.transaction, hint);
    const levels = await this.#local(hint, old, radius).catch(() => null);
    if (this.active !== painted || this.#turn !== turn) return;
    if (levels) {
      for (const [n, base] of painted.transaction.bases) document.mask.tile(n).set(base);
      write(document.mask, painted.transaction, hint, merged(hint, old, levels));
      document.mask.changed(hint.rect);
    }
    const entry = this.finish();
    const wanted = this.context.settings.sampleHair.value || (levels && uncertain(hint, levels) > UNCERTAIN);
    if (entry && wanted) await this.#ask(entry, radius);
  }

  /** @param {Hint} hint @param {Uint8Array} old @param {number} radius */
  #local(hint, old, radius) {
    const { document } = this.context;
    const rgb = photoOf(document, hint);
    const { sure, band, target } = hint;
    const levels = old.slice();
    const known = new Uint8Array(old.length);
    for (let i = 0; i < old.length; i++) {
      if (sure[i]) levels[i] = target;
      known[i] = sure[i] | (1 - band[i]);
    }
    const how = { radius: Math.max(2, Math.round(BAND * radius * hint.scale)), epsilon: 1e-4 };
    return document.work.run("guided", { rgb, width: hint.width, height: hint.height }, levels, known, how);
  }

  /** Replace a step by the server's edge, where nothing was done since. @param {import("../core/history.js").Entry} entry @param {number} radius */
  async #ask(entry, radius) {
    const { document, say } = this.context;
    const { history, mask } = document;
    const hint = this.#hint(this.#places, radius, SERVER_PIXELS);
    try {
      const levels = await this.#fromServer(hint, read(mask, hint));
      history.replace(entry, (transaction) => {
        write(mask, transaction, hint, merged(hint, read(mask, hint), levels));
        mask.changed(hint.rect);
      });
    } catch (error) {
      // Busy, too many requests, not reachable: the local edge stays.
      if (history.isLast(entry)) say(t("tool_edge_local", { reason: await errorText(error) }));
    }
  }

  /** @param {Hint} hint @param {Uint8Array} now */
  async #fromServer(hint, now) {
    const { width, height } = hint;
    const rgba = photoOf(this.context.document, hint);
    const trimap = now.map((level, i) => (hint.sure[i] ? hint.target : hint.band[i] ? 128 : level < 16 ? 0 : level > 239 ? 255 : 128));
    const crop = await encodeRows(width, height, 3, (y, rows) => opaque(rgba.subarray(4 * y * width, 4 * (y + rows) * width)));
    const answer = await refine(crop, await encode(Mask.fromBytes(width, height, trimap)), this.context.settings.sampleHair.value ? "matting" : "refined");
    const found = await decode(answer);
    if (found.width !== width || found.height !== height) throw new Error("another size");
    return found.bytes;
  }

  /** @param {Place[]} places @param {number} radius @param {number} most px @returns {Hint} */
  #hint(places, radius, most) {
    const { document } = this.context;
    const reach = radius * (BAND + RING) + 2;
    const [xs, ys] = [places.map(({ x }) => x), places.map(({ y }) => y)];
    const left = Math.min(...xs) - reach;
    const top = Math.min(...ys) - reach;
    const rect = clip({ x: left, y: top, width: Math.max(...xs) + reach - left, height: Math.max(...ys) + reach - top }, document.width, document.height);
    const scale = Math.min(1, Math.sqrt(most / (rect.width * rect.height)));
    const [width, height] = [Math.max(1, Math.round(rect.width * scale)), Math.max(1, Math.round(rect.height * scale))];
    const trace = (/** @type {number} */ share) => traced(places, { rect, width, height, scale, size: 2 * radius * share });
    return { rect, width, height, scale, sure: trace(SURE), band: trace(BAND), target: this.#target };
  }
}

/** Return 1 where a hard stroke of that size goes. @param {Place[]} places
 * @param {{rect: Rect, width: number, height: number, scale: number, size: number}} grid */
function traced(places, { rect, width, height, scale, size }) {
  const mask = new Mask(width, height, 0);
  const stroke = new Stroke(mask, { touch: (n) => mask.tile(n).slice() }, { target: 255, size: Math.max(1, size * scale), hardness: 1, opacity: 1 });
  for (const { x, y } of places) stroke.to({ x: (x - rect.x) * scale, y: (y - rect.y) * scale });
  const inside = mask.toBytes();
  for (let i = 0; i < inside.length; i++) inside[i] >>= 7;
  return inside;
}

/** Return the photo's pixels on a hint's grid. @param {import("../document.js").EditorDocument} document @param {Hint} hint */
function photoOf({ photo, photoScale }, { rect, width, height }) {
  const part = { x: rect.x * photoScale, y: rect.y * photoScale, width: rect.width * photoScale, height: rect.height * photoScale };
  return pixels(photo, part, width, height);
}

/** Return the mask's levels on a hint's grid. @param {Mask} mask @param {Hint} hint */
function read(mask, { rect, width, height, scale }) {
  if (scale === 1) return mask.read(rect);
  const levels = new Uint8Array(width * height);
  const columns = Int32Array.from({ length: width }, (_, x) => Math.floor((x + 0.5) / scale));
  for (let y = 0, at = 0; y < height; y++) {
    const row = rect.y + Math.floor((y + 0.5) / scale);
    for (let x = 0; x < width; x++) levels[at++] = mask.at(rect.x + columns[x], row);
  }
  return levels;
}

/** Return the levels on a hint's grid as they were before a stroke. @param {Mask} mask @param {import("../core/history.js").Transaction} transaction
 * @param {Hint} hint */
function before(mask, { bases }, hint) {
  const swap = () => {
    for (const [n, base] of bases) {
      const tile = mask.tile(n).slice();
      mask.tile(n).set(base);
      bases.set(n, tile);
    }
  };
  swap();
  const levels = read(mask, hint);
  swap();
  return levels;
}

/** Return the old levels, moved in the band towards the target where the found ones are. @param {Hint} hint @param {Uint8Array} old @param {Uint8Array} found */
function merged({ sure, band, target }, old, found) {
  const levels = old.slice();
  for (let i = 0; i < levels.length; i++) {
    if (sure[i]) levels[i] = target;
    else if (band[i]) levels[i] = target ? Math.max(levels[i], found[i]) : Math.min(levels[i], found[i]);
  }
  return levels;
}

/** Write a grid's levels into the mask; of a coarser grid only what differs from the old levels.
 * @param {Mask} mask @param {import("../core/history.js").Transaction} transaction @param {Hint} hint @param {Uint8Array} levels */
function write(mask, transaction, { rect, width, height, scale, band, target }, levels) {
  for (const n of mask.tilesIn(rect)) transaction.touch(n);
  if (scale === 1) return mask.write(rect, levels);
  const bytes = mask.read(rect);
  const columns = Int32Array.from({ length: rect.width }, (_, x) => Math.min(width - 1, Math.floor((x + 0.5) * scale)));
  for (let y = 0, at = 0; y < rect.height; y++) {
    const row = Math.min(height - 1, Math.floor((y + 0.5) * scale)) * width;
    for (let x = 0; x < rect.width; x++, at++) {
      const from = row + columns[x];
      if (band[from]) bytes[at] = target ? Math.max(bytes[at], levels[from]) : Math.min(bytes[at], levels[from]);
    }
  }
  return mask.write(rect, bytes);
}

/** Return the share of the band's levels that are neither kept nor erased. @param {Hint} hint @param {Uint8Array} levels */
function uncertain({ band, sure }, levels) {
  let count = 0;
  let total = 0;
  for (let i = 0; i < levels.length; i++) {
    if (!band[i] || sure[i]) continue;
    total++;
    if (levels[i] >= 16 && levels[i] < 240) count++;
  }
  return total ? count / total : 0;
}

/** Return RGB of RGBA. @param {Uint8ClampedArray} rgba */
function opaque(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, to = 0; i < rgba.length; i += 4) {
    rgb[to++] = rgba[i];
    rgb[to++] = rgba[i + 1];
    rgb[to++] = rgba[i + 2];
  }
  return rgb;
}
