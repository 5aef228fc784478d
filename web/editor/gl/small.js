/** A mask made small, and the box of what it shows: what a whole-picture effect needs, kept up to date tile by tile. */
/** @typedef {{x: number, y: number, width: number, height: number}} Rect */
/**
 * @typedef {object} Tiled a mask of 256² tiles, as `core/mask.js` has it
 * @property {number} width
 * @property {number} height
 * @property {number} columns
 * @property {number} rows
 * @property {(n: number) => Uint8Array} tile
 * @property {(listener: (rect: Rect) => void) => () => void} onChange
 */

const TILE = 256;
/** Cells along the longer side, at most. */
const LONGEST = 1024;
/** Alpha above this is visible and belongs to the subject, as on the server. */
const VISIBLE = 10;

export class SmallMask {
  /** Counts the updates. */
  revision = 0;
  /** @type {Set<number>} */
  #changed = new Set();
  /** @type {(Rect | null)[]} */
  #boxes;
  /** Of each tile's levels. */
  #sums;
  #stop;

  /** @param {Tiled} mask */
  constructor(mask) {
    this.mask = mask;
    /** px of the mask along a cell's side; a power of two, so that a tile is a whole number of cells */
    this.step = stepOf(mask);
    this.width = Math.ceil(mask.width / this.step);
    this.height = Math.ceil(mask.height / this.step);
    /** the cells' means, row by row */
    this.bytes = new Uint8Array(this.width * this.height);
    const tiles = mask.columns * mask.rows;
    this.#boxes = new Array(tiles).fill(null);
    this.#sums = new Float64Array(tiles);
    for (let n = 0; n < tiles; n++) this.#changed.add(n);
    this.#stop = mask.onChange((rect) => this.#mark(rect));
  }

  /** What the photo's own transparency leaves of each tile; undefined where it is opaque. @type {(Uint8Array | undefined)[]} */
  #own = [];

  /** Count no more of each tile than this. @param {(Uint8Array | undefined)[]} own */
  limit(own) {
    this.#own = own;
    own.forEach((_, n) => this.#changed.add(n));
  }

  /** Read the tiles that have changed. */
  update() {
    if (this.#changed.size) this.revision++;
    for (const n of this.#changed) this.#read(n);
    this.#changed.clear();
    return this;
  }

  /** The box of everything visible, in px of the mask; null where there is nothing. @returns {Rect | null} */
  box() {
    let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
    for (const box of this.#boxes) {
      if (!box) continue;
      left = Math.min(left, box.x);
      top = Math.min(top, box.y);
      right = Math.max(right, box.x + box.width);
      bottom = Math.max(bottom, box.y + box.height);
    }
    return right < 0 ? null : {x: left, y: top, width: right - left, height: bottom - top};
  }

  /** The kept share, 0 to 1. */
  kept() {
    return this.#sums.reduce((all, sum) => all + sum, 0) / (255 * this.mask.width * this.mask.height);
  }

  close() {
    this.#stop();
  }

  /** @param {Rect} rect */
  #mark(rect) {
    const {columns, rows} = this.mask;
    const right = Math.min(columns - 1, Math.floor((rect.x + rect.width - 1) / TILE));
    const bottom = Math.min(rows - 1, Math.floor((rect.y + rect.height - 1) / TILE));
    for (let row = Math.max(0, Math.floor(rect.y / TILE)); row <= bottom; row++) {
      for (let column = Math.max(0, Math.floor(rect.x / TILE)); column <= right; column++) {
        this.#changed.add(row * columns + column);
      }
    }
  }

  /** Take a tile that has one level, as most have. @param {number} n @param {Rect} rect @param {number} level */
  #fill(n, rect, level) {
    const { step } = this;
    this.#boxes[n] = level > VISIBLE ? rect : null;
    this.#sums[n] = level * rect.width * rect.height;
    const [left, right] = [rect.x / step, Math.ceil((rect.x + rect.width) / step)];
    for (let row = rect.y / step; row < (rect.y + rect.height) / step; row++) this.bytes.fill(level, row * this.width + left, row * this.width + right);
  }

  /** @param {number} n */
  #read(n) {
    const {mask, step} = this;
    const left = (n % mask.columns) * TILE;
    const top = Math.floor(n / mask.columns) * TILE;
    const width = Math.min(TILE, mask.width - left);
    const height = Math.min(TILE, mask.height - top);
    const own = this.#own[n];
    const tile = own ? own.map((most, at) => Math.min(most, mask.tile(n)[at])) : mask.tile(n);
    const level = levelOf(tile);
    if (level >= 0) return this.#fill(n, { x: left, y: top, width, height }, level);
    this.#boxes[n] = visibleBox(tile, left, top, width, height);
    const words = wordsOf(tile);
    let total = 0;
    for (let y = 0; y < height; y += step) {
      const bottom = Math.min(height, y + step);
      let at = ((top + y) / step) * this.width + left / step;
      for (let x = 0; x < width; x += step, at++) {
        const right = Math.min(width, x + step);
        const sum = step < 4 ? sumOf(tile, x, y, right, bottom) : sumOfWords(words, x >> 2, y, (right + 3) >> 2, bottom);
        this.bytes[at] = Math.round(sum / ((bottom - y) * (right - x)));
        total += sum;
      }
    }
    this.#sums[n] = total;
  }
}

/** px of a picture along a cell's side. @param {{width: number, height: number}} size */
export function stepOf({ width, height }) {
  let step = 1;
  while (Math.max(width, height) / step > LONGEST && step < TILE) step *= 2;
  return step;
}

/** A tile's levels, four in each. @param {Uint8Array} tile */
function wordsOf(tile) {
  return new Uint32Array(tile.buffer, tile.byteOffset, tile.length >> 2);
}

/** The level of all of a tile's pixels; -1 where they differ. @param {Uint8Array} tile */
function levelOf(tile) {
  const words = wordsOf(tile);
  const first = Math.imul(tile[0], 0x01010101) >>> 0;
  for (let i = 0; i < words.length; i++) if (words[i] !== first) return -1;
  return tile[0];
}

/** The sum of the levels in a cell. @param {Uint8Array} tile @param {number} left @param {number} top @param {number} right @param {number} bottom */
function sumOf(tile, left, top, right, bottom) {
  let sum = 0;
  for (let row = top; row < bottom; row++) for (let at = row * TILE + left, end = row * TILE + right; at < end; at++) sum += tile[at];
  return sum;
}

/** The same by fours; beyond the picture is nothing. @param {Uint32Array} words @param {number} left @param {number} top @param {number} right @param {number} bottom */
function sumOfWords(words, left, top, right, bottom) {
  let sum = 0;
  for (let row = (top * TILE) >> 2, last = (bottom * TILE) >> 2; row < last; row += TILE >> 2) {
    for (let at = row + left, end = row + right; at < end; at++) {
      const pairs = (words[at] & 0xff00ff) + ((words[at] >>> 8) & 0xff00ff);
      sum += (pairs & 0xffff) + (pairs >>> 16);
    }
  }
  return sum;
}

/** @param {Uint8Array} tile @param {number} left @param {number} top @param {number} width @param {number} height @returns {Rect | null} */
function visibleBox(tile, left, top, width, height) {
  const words = wordsOf(tile);
  let [x1, y1, x2, y2] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    const row = y * TILE;
    let first = 0;
    while (first < width && !words[(row + first) >> 2]) first += 4;
    while (first < width && tile[row + first] <= VISIBLE) first++;
    if (first >= width) continue;
    let last = width - 1;
    while (last > x2 && tile[row + last] <= VISIBLE) last--;
    x1 = Math.min(x1, first);
    x2 = Math.max(x2, last);
    y1 = Math.min(y1, y);
    y2 = y;
  }
  return x2 < 0 ? null : {x: left + x1, y: top + y1, width: x2 - x1 + 1, height: y2 - y1 + 1};
}
