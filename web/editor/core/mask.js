/** The cut-out's alpha as tiles of 256² bytes: the only truth, changed in place. */

export const TILE = 256;

/** @typedef {{x: number, y: number, width: number, height: number}} Rect */

export class Mask {
  /** @param {number} width px @param {number} height px @param {number} [fill] level of every pixel */
  constructor(width, height, fill = 255) {
    this.width = width;
    this.height = height;
    this.columns = Math.ceil(width / TILE);
    this.rows = Math.ceil(height / TILE);
    this.revision = 0;
    /** @type {Uint8Array[]} */
    this.tiles = Array.from({ length: this.columns * this.rows }, () => new Uint8Array(TILE * TILE));
    /** @type {Set<(rect: Rect) => void>} */
    this.listeners = new Set();
    if (fill) this.tiles.forEach((_, n) => this.#fillTile(n, fill));
  }

  /** Return row-major 256² bytes; pixels outside the picture are 0. @param {number} n */
  tile(n) {
    return this.tiles[n];
  }

  /** Return the part of the picture that a tile covers. @param {number} n @returns {Rect} */
  tileRect(n) {
    const x = (n % this.columns) * TILE;
    const y = Math.floor(n / this.columns) * TILE;
    return { x, y, width: Math.min(TILE, this.width - x), height: Math.min(TILE, this.height - y) };
  }

  /** Return the numbers of the tiles that a rectangle touches. @param {Rect} rect */
  tilesIn(rect) {
    const { x, y, width, height } = clip(rect, this.width, this.height);
    /** @type {number[]} */
    const found = [];
    if (!width || !height) return found;
    for (let row = y >> 8; row <= (y + height - 1) >> 8; row++)
      for (let column = x >> 8; column <= (x + width - 1) >> 8; column++) found.push(row * this.columns + column);
    return found;
  }

  /** @param {number} width @param {number} height @param {Uint8Array} bytes row by row */
  static fromBytes(width, height, bytes) {
    const mask = new Mask(width, height, 0);
    mask.tiles.forEach((tile, n) => {
      const { x, y, width: count, height: lines } = mask.tileRect(n);
      for (let line = 0, at = y * width + x; line < lines; line++, at += width) tile.set(bytes.subarray(at, at + count), line * TILE);
    });
    return mask;
  }

  /** Return row-major bytes of the whole picture. */
  toBytes() {
    const bytes = new Uint8Array(this.width * this.height);
    this.tiles.forEach((tile, n) => this.#copyRows(n, (own, at, count) => bytes.set(tile.subarray(own, own + count), at)));
    return bytes;
  }

  /** Return row-major bytes of a rectangle inside the picture. @param {Rect} rect */
  read(rect) {
    const bytes = new Uint8Array(rect.width * rect.height);
    this.#rowsOf(rect, (tile, own, at, count) => bytes.set(tile.subarray(own, own + count), at));
    return bytes;
  }

  /** Write row-major bytes into a rectangle inside the picture; the caller reports it by `changed`.
   * @param {Rect} rect @param {Uint8Array} bytes */
  write(rect, bytes) {
    this.#rowsOf(rect, (tile, own, at, count) => tile.set(bytes.subarray(at, at + count), own));
  }

  /** @param {number} x @param {number} y */
  at(x, y) {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return 0;
    return this.tiles[(y >> 8) * this.columns + (x >> 8)][((y & 255) << 8) | (x & 255)];
  }

  /** Report changed pixels to the listeners. @param {Rect} rect */
  changed(rect) {
    this.revision++;
    for (const listener of this.listeners) listener(rect);
  }

  /** @param {(rect: Rect) => void} listener @returns {() => void} */
  onChange(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** @param {number} n @param {number} level */
  #fillTile(n, level) {
    this.#copyRows(n, (own, _, count) => this.tiles[n].fill(level, own, own + count));
  }

  /** @param {number} n @param {(own: number, at: number, count: number) => void} row */
  #copyRows(n, row) {
    const { x, y, width, height } = this.tileRect(n);
    for (let line = 0; line < height; line++) row(line * TILE, (y + line) * this.width + x, width);
  }

  /** @param {Rect} rect @param {(tile: Uint8Array, own: number, at: number, count: number) => void} row */
  #rowsOf(rect, row) {
    for (const n of this.tilesIn(rect)) {
      const part = overlap(rect, this.tileRect(n));
      for (let y = part.y; y < part.y + part.height; y++) {
        const own = ((y & 255) << 8) | (part.x & 255);
        row(this.tiles[n], own, (y - rect.y) * rect.width + part.x - rect.x, part.width);
      }
    }
  }
}

/** Return the common part of two rectangles; without one its size is 0. @param {Rect} a @param {Rect} b @returns {Rect} */
export function overlap(a, b) {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const width = Math.max(0, Math.min(a.x + a.width, b.x + b.width) - x);
  const height = Math.max(0, Math.min(a.y + a.height, b.y + b.height) - y);
  return { x, y, width, height };
}

/** Return whole pixels of a rectangle inside a picture. @param {Rect} rect @param {number} width @param {number} height */
export function clip(rect, width, height) {
  const x = Math.floor(rect.x);
  const y = Math.floor(rect.y);
  const whole = { x, y, width: Math.ceil(rect.x + rect.width) - x, height: Math.ceil(rect.y + rect.height) - y };
  return overlap(whole, { x: 0, y: 0, width, height });
}

/** Return the smallest rectangle around both. @param {Rect | null} a @param {Rect} b @returns {Rect} */
export function union(a, b) {
  if (!a || !a.width || !a.height) return b;
  if (!b.width || !b.height) return a;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  return { x, y, width: Math.max(a.x + a.width, b.x + b.width) - x, height: Math.max(a.y + a.height, b.y + b.height) - y };
}
