/** The smart brush: the stroke is a hint; the edge beside it is found in the photo's colours. */
import { refine } from "../../app/model.js";
import { addMessages, t } from "../../app/i18n/index.js";
import { errorText } from "../../library/failures.js";
import { gridOf, moved, zonesOf } from "../core/edge.js";
import { Mask, overlap } from "../core/mask.js";
import { decode, encode, encodeRows } from "../core/png8.js";
import { coloursOf } from "../core/pixels.js";
import { en } from "../i18n/notices_en.js";
import { Brush, forceOf } from "./brush.js";

addMessages("en", en);

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./context.js").Place} Place */
/** @typedef {import("../core/edge.js").Grid} Grid */
/** @typedef {import("../core/edge.js").Hint} Hint */

const LOCAL_PIXELS = 1e6;
const SERVER_PIXELS = 4e6;
/** From this many uncertain levels in the band on, the server is asked. */
const UNCERTAIN = 0.15;
/** The size of the strokes that warm up, in px, and how many. */
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
  #timer = 0;

  /** Get ready a while after the first strokes of the brush. @param {number} ms */
  warmUpIn(ms) {
    this.#timer = setTimeout(() => this.warmUp().catch(() => undefined), ms);
  }

  /** A stroke that is still being worked on stays as it was painted. */
  stop() {
    clearTimeout(this.#timer);
    this.finish();
  }

  /** Find edges where nobody sees it: the first strokes run before the browser has compiled what they need. */
  async warmUp() {
    const mask = new Mask(6 * WARM, 6 * WARM);
    const hint = { points: [{ x: 2 * WARM, y: 3 * WARM }, { x: 4 * WARM, y: 3 * WARM }], radius: WARM, target: 0 };
    const grid = gridOf(hint, mask, LOCAL_PIXELS);
    const nowhere = { touch: (/** @type {number} */ n) => mask.tile(n) };
    for (let i = 0; i < WARM_ROUNDS; i++) {
      const found = await this.context.document.work.run("edge", hint, grid, read(mask, grid));
      if (found) write(mask, nowhere, hint, grid, found.levels);
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
    painted.transaction.waits = true;
    const turn = this.#turn;
    const { context } = this;
    const { document, settings } = context;
    const radius = (settings.size.value / 2) * Math.max(...this.#places.map(forceOf));
    const hint = { points: this.#places, radius, target: this.#target };
    const grid = gridOf(hint, document, LOCAL_PIXELS);
    const { bases } = painted.transaction;
    const old = read(document.mask, grid, bases);
    await context.ready;
    const found = await document.work.run("edge", hint, grid, old).catch(() => null);
    if (!painted.transaction.isOpen || this.#turn !== turn) return;
    if (found) {
      for (const [n, base] of bases) document.mask.tile(n).set(base);
      write(document.mask, painted.transaction, hint, grid, found.levels);
    }
    const entry = this.finish();
    if (entry && (settings.sampleHair.value || (found && found.unsure > UNCERTAIN))) await this.#ask(entry, hint);
  }

  /** Replace a step by the server's edge, where nothing was done since. @param {import("../core/history.js").Entry} entry @param {Hint} hint */
  async #ask(entry, hint) {
    const { document, say } = this.context;
    const { history, mask } = document;
    const grid = gridOf(hint, document, SERVER_PIXELS);
    const zones = zonesOf(hint, grid);
    try {
      const found = await this.#fromServer(hint, grid, zones, read(mask, grid));
      if (!document.readOnly.peek()) history.replace(entry, (transaction) => write(mask, transaction, hint, grid, moved(hint, zones, read(mask, grid), found).levels));
    } catch (error) {
      // Busy, too many requests, not reachable: the local edge stays.
      if (history.isLast(entry)) say(t("tool_edge_local", { reason: await errorText(error) }));
    }
  }

  /** @param {Hint} hint @param {Grid} grid @param {Uint8Array} zones @param {Uint8Array} now */
  async #fromServer({ target }, grid, zones, now) {
    const { width, height, rect } = grid;
    const { photo } = this.context.document;
    const rgba = coloursOf({ ...this.context.document, bitmap: photo }, rect, grid);
    const trimap = now.map((level, i) => (zones[i] === 2 ? target : zones[i] ? 128 : level < 16 ? 0 : level > 239 ? 255 : 128));
    const crop = await encodeRows(width, height, 3, (y, rows) => opaque(rgba.subarray(4 * y * width, 4 * (y + rows) * width)));
    const answer = await refine(crop, await encode(Mask.fromBytes(width, height, trimap)), this.context.settings.sampleHair.value ? "matting" : "refined");
    const found = await decode(answer);
    if (found.width !== width || found.height !== height) throw new Error("another size");
    return found.bytes;
  }
}

/** Return the mask's levels on a grid, of some tiles as they were before a stroke. @param {Mask} mask @param {Grid} grid
 * @param {Map<number, Uint8Array>} [bases] */
function read(mask, { rect, width, height, scale }, bases) {
  const levels = new Uint8Array(width * height);
  const at = (/** @type {number} */ n, /** @type {number} */ size) => Math.min(size - 1, Math.floor((n + 0.5) / scale));
  const columns = Int32Array.from({ length: width }, (_, x) => rect.x + at(x, rect.width));
  for (let y = 0, to = 0; y < height; y++) {
    const row = rect.y + at(y, rect.height);
    const first = (row >> 8) * mask.columns;
    for (let x = 0; x < width; ) {
      const column = columns[x] >> 8;
      const tile = bases?.get(first + column) ?? mask.tile(first + column);
      for (; x < width && columns[x] >> 8 === column; x++) levels[to++] = tile[((row & 255) << 8) | (columns[x] & 255)];
    }
  }
  return levels;
}

/** Move the mask's levels towards the stroke's target, as far as those on a grid. @param {Mask} mask
 * @param {import("../core/raster.js").Touching} transaction @param {Hint} hint @param {Grid} grid @param {Uint8Array} levels */
function write(mask, transaction, { target }, { rect, width, height, scale }, levels) {
  const at = (/** @type {number} */ n, /** @type {number} */ size) => Math.min(size - 1, Math.floor((n + 0.5) * scale));
  const columns = Int32Array.from({ length: rect.width }, (_, x) => at(x, width));
  for (const n of mask.tilesIn(rect)) {
    transaction.touch(n);
    const tile = mask.tile(n);
    const part = overlap(rect, mask.tileRect(n));
    for (let y = part.y; y < part.y + part.height; y++) {
      const row = at(y - rect.y, height) * width;
      let to = ((y & 255) << 8) | (part.x & 255);
      for (let x = part.x - rect.x, end = x + part.width; x < end; x++, to++) {
        const level = levels[row + columns[x]];
        if (target ? level > tile[to] : level < tile[to]) tile[to] = level;
      }
    }
  }
  mask.changed(rect);
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
