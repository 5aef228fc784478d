/** A synchronous inflate, so that undo happens within the key press. */

// RFC 1951, 3.2.5: base values and extra bits of lengths and distances.
const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const DISTANCES = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/** @param {number} symbol */
const lengthBits = (symbol) => (symbol < 8 || symbol === 28 ? 0 : (symbol >> 2) - 1);
/** @param {number} symbol */
const distanceBits = (symbol) => (symbol < 4 ? 0 : (symbol >> 1) - 1);

/** Return a table: the next `bits` bits give `symbol << 4 | length`. @param {number[] | Uint8Array} lengths */
function table(lengths) {
  const bits = Math.max(1, ...lengths);
  const found = new Uint16Array(1 << bits);
  let code = 0;
  for (let length = 1; length <= bits; length++, code <<= 1)
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] !== length) continue;
      let reversed = 0;
      for (let bit = 0; bit < length; bit++) reversed |= ((code >> bit) & 1) << (length - 1 - bit);
      for (let at = reversed; at < found.length; at += 1 << length) found[at] = (symbol << 4) | length;
      code++;
    }
  return { found, bits };
}

const FIXED = table(Array.from({ length: 288 }, (_, n) => (n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8)));
const FIXED_DISTANCES = table(new Array(30).fill(5));

/** Return the bytes of raw deflate data that holds exactly `size` bytes. Throws for damaged data.
 * @param {Uint8Array} data @param {number} size */
export function inflate(data, size) {
  const reader = new Bits(data);
  const out = new Uint8Array(size);
  let at = 0;
  for (let last = 0; !last; ) {
    last = reader.take(1);
    const kind = reader.take(2);
    if (kind === 0) at = stored(reader, out, at);
    else if (kind === 1) at = block(reader, out, at, FIXED, FIXED_DISTANCES);
    else if (kind === 2) at = block(reader, out, at, ...tables(reader));
    else throw new Error("damaged deflate data");
  }
  if (at !== size) throw new Error("damaged deflate data");
  return out;
}

class Bits {
  /** @param {Uint8Array} data */
  constructor(data) {
    this.data = data;
    this.at = 0;
    this.held = 0;
    this.count = 0;
  }

  /** @param {number} wanted at most 16 bits */
  need(wanted) {
    while (this.count < wanted) {
      this.held |= (this.data[this.at++] ?? 0) << this.count;
      this.count += 8;
    }
    if (this.at > this.data.length + 4) throw new Error("damaged deflate data");
  }

  /** @param {number} wanted */
  take(wanted) {
    if (!wanted) return 0;
    this.need(wanted);
    const value = this.held & ((1 << wanted) - 1);
    this.held >>>= wanted;
    this.count -= wanted;
    return value;
  }

  /** @param {{found: Uint16Array, bits: number}} table */
  symbol({ found, bits }) {
    this.need(bits);
    const entry = found[this.held & (found.length - 1)];
    const length = entry & 15;
    if (!length) throw new Error("damaged deflate data");
    this.held >>>= length;
    this.count -= length;
    return entry >> 4;
  }
}

/** @param {Bits} reader @param {Uint8Array} out @param {number} at */
function stored(reader, out, at) {
  reader.take(reader.count & 7);
  const size = reader.take(16);
  reader.take(16);
  for (let i = 0; i < size; i++) out[at++] = reader.take(8);
  return at;
}

/** @param {Bits} reader @returns {[ReturnType<typeof table>, ReturnType<typeof table>]} */
function tables(reader) {
  const literals = reader.take(5) + 257;
  const distances = reader.take(5) + 1;
  const codes = reader.take(4) + 4;
  const first = new Uint8Array(19);
  for (let i = 0; i < codes; i++) first[ORDER[i]] = reader.take(3);
  const meta = table(first);
  const lengths = new Uint8Array(literals + distances);
  for (let i = 0; i < lengths.length; ) {
    const symbol = reader.symbol(meta);
    if (symbol < 16) lengths[i++] = symbol;
    else if (symbol === 16) for (let n = reader.take(2) + 3, value = lengths[i - 1]; n--; ) lengths[i++] = value;
    else i += symbol === 17 ? reader.take(3) + 3 : reader.take(7) + 11;
  }
  return [table(lengths.subarray(0, literals)), table(lengths.subarray(literals))];
}

/** @param {Bits} reader @param {Uint8Array} out @param {number} at @param {ReturnType<typeof table>} literals
 * @param {ReturnType<typeof table>} distances */
function block(reader, out, at, literals, distances) {
  for (;;) {
    const symbol = reader.symbol(literals);
    if (symbol < 256) {
      out[at++] = symbol;
      continue;
    }
    if (symbol === 256) return at;
    const length = LENGTHS[symbol - 257] + reader.take(lengthBits(symbol - 257));
    const far = reader.symbol(distances);
    const distance = DISTANCES[far] + reader.take(distanceBits(far));
    if (distance === 1) out.fill(out[at - 1], at, at + length);
    else for (let i = at; i < at + length; i++) out[i] = out[i - distance];
    at += length;
    if (at > out.length) throw new Error("damaged deflate data");
  }
}
