import assert from "node:assert/strict";
import { test } from "node:test";
import zlib from "node:zlib";
import { Mask } from "../../../web/editor/core/mask.js";
import { decode, decodeMask, encode, encodeRows } from "../../../web/editor/core/png8.js";
import { noise, softEllipse } from "./samples.mjs";

const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

function chunk(name, data) {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(data.length);
  head.write(name, 4, "latin1");
  return Buffer.concat([head, data, Buffer.alloc(4)]);
}

/** A PNG of rows with one filter byte each, made by hand. */
function png({ width, height, depth, type, rows, filters, palette, interlaced = 0, step = 1 }) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head.set([depth, type, 0, 0, interlaced], 8);
  const lines = rows.flatMap((row, y) => {
    const filter = filters[y % filters.length];
    return [filter, ...row.map((value, i) => (value - guess(filter, rows, y, i, step)) & 255)];
  });
  const data = zlib.deflateSync(Buffer.from(lines));
  const half = data.length >> 1;
  const parts = [SIGNATURE, chunk("IHDR", head)];
  if (palette) parts.push(chunk("PLTE", Buffer.from(palette)));
  parts.push(chunk("IDAT", data.subarray(0, half)), chunk("tEXt", Buffer.from("a\0b")), chunk("IDAT", data.subarray(half)), chunk("IEND", Buffer.alloc(0)));
  return new Blob(parts);
}

function guess(filter, rows, y, i, step) {
  const a = i >= step ? rows[y][i - step] : 0;
  const b = y ? rows[y - 1][i] : 0;
  const c = y && i >= step ? rows[y - 1][i - step] : 0;
  if (filter === 4) {
    const p = a + b - c;
    const [pa, pb, pc] = [p - a, p - b, p - c].map(Math.abs);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
  }
  return [0, a, b, (a + b) >> 1][filter];
}

/** @param {number} width @param {number} height */
function randomRows(width, height) {
  const bytes = noise(width * height);
  return Array.from({ length: height }, (_, y) => [...bytes.subarray(y * width, (y + 1) * width)]);
}

test("a mask that is opened and saved has identical bytes", async () => {
  for (const [width, height] of [[1, 1], [255, 257], [1000, 700]]) {
    for (const bytes of [noise(width * height), softEllipse(width, height)]) {
      const mask = await decodeMask(await encode(Mask.fromBytes(width, height, bytes)));
      assert.deepEqual(mask.toBytes(), bytes);
    }
  }
});

test("all five filters are read, also mixed and in the first row", async () => {
  for (const filters of [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0]]) {
    const rows = randomRows(67, 20);
    const file = png({ width: 67, height: 20, depth: 8, type: 0, rows, filters });
    assert.deepEqual([...(await decode(file)).bytes], rows.flat());
    assert.deepEqual([...(await decodeMask(file)).toBytes()], rows.flat());
  }
});

test("rows that differ from the one above, as the server makes them, are read into every tile", async () => {
  for (const [width, height] of [[1, 3], [255, 257], [259, 300], [1030, 40]]) {
    for (const filters of [[2], [0, 2, 2, 2, 2]]) {
      const rows = randomRows(width, height).map((row, y) => (y % 3 ? row : row.fill(y)));
      const mask = await decodeMask(png({ width, height, depth: 8, type: 0, rows, filters }));
      assert.deepEqual(mask.toBytes(), Uint8Array.from(rows.flat()));
      // Beyond the picture is nothing.
      assert.deepEqual(mask, Mask.fromBytes(width, height, mask.toBytes()));
    }
  }
});

test("what follows the last row is left out, however long it is", async () => {
  const rows = randomRows(1000, 400);
  const mask = await decodeMask(png({ width: 1000, height: 3, depth: 8, type: 0, rows, filters: [0] }));
  assert.deepEqual(mask.toBytes(), Uint8Array.from(rows.slice(0, 3).flat()));
});

test("1, 2 and 4 bits are spread over 0 to 255", async () => {
  for (const depth of [1, 2, 4]) {
    const stride = Math.ceil((13 * depth) / 8);
    const rows = randomRows(stride, 5);
    const { bytes } = await decode(png({ width: 13, height: 5, depth, type: 0, rows, filters: [0, 4] }));
    const most = (1 << depth) - 1;
    for (let y = 0; y < 5; y++)
      for (let x = 0; x < 13; x++) {
        const bits = rows[y].map((byte) => byte.toString(2).padStart(8, "0")).join("");
        assert.equal(bytes[y * 13 + x], (parseInt(bits.slice(x * depth, (x + 1) * depth), 2) * 255) / most);
      }
  }
});

test("16 bits lose the low byte; alpha is left out; colours become grey", async () => {
  const wide = randomRows(2 * 9, 4);
  const found = await decode(png({ width: 9, height: 4, depth: 16, type: 0, rows: wide, filters: [4], step: 2 }));
  assert.deepEqual([...found.bytes], wide.flat().filter((_, i) => i % 2 === 0));
  const pairs = randomRows(2 * 9, 4);
  const alpha = await decode(png({ width: 9, height: 4, depth: 8, type: 4, rows: pairs, filters: [3], step: 2 }));
  assert.deepEqual([...alpha.bytes], pairs.flat().filter((_, i) => i % 2 === 0));
  const greys = [[5, 5, 5, 200, 200, 200], [255, 0, 0, 0, 0, 255]];
  const rgb = await decode(png({ width: 2, height: 2, depth: 8, type: 2, rows: greys, filters: [1], step: 3 }));
  assert.deepEqual([...rgb.bytes], [5, 200, 76, 29]);
});

test("a palette is read", async () => {
  const palette = [0, 0, 0, 255, 255, 255, 9, 9, 9];
  const { bytes } = await decode(png({ width: 3, height: 1, depth: 8, type: 3, rows: [[2, 1, 0]], filters: [0], palette }));
  assert.deepEqual([...bytes], [9, 255, 0]);
});

test("colours are written without loss", async () => {
  const rgb = noise(300 * 300 * 3);
  const blob = await encodeRows(300, 300, 3, (y, rows) => rgb.subarray(y * 900, (y + rows) * 900));
  const file = Buffer.from(await blob.arrayBuffer());
  const size = file.readUInt32BE(33);
  const raw = zlib.inflateSync(file.subarray(41, 41 + size));
  for (let y = 0; y < 300; y++)
    for (let i = 0; i < 900; i++) {
      const left = i >= 3 ? rgb[y * 900 + i - 3] : 0;
      assert.equal((raw[y * 901 + 1 + i] + left) & 255, rgb[y * 900 + i]);
    }
});

test("the checksums are those of zlib", { skip: !zlib.crc32 }, async () => {
  const file = Buffer.from(await (await encode(new Mask(3, 3))).arrayBuffer());
  assert.equal(file.readUInt32BE(29), zlib.crc32(file.subarray(12, 29)));
});

test("damaged and foreign files throw", async () => {
  const good = Buffer.from(await (await encode(new Mask(50, 50))).arrayBuffer());
  await assert.rejects(decode(new Blob(["GIF89a", Buffer.alloc(100)])), /no PNG/);
  await assert.rejects(decode(new Blob([])), /no PNG/);
  await assert.rejects(decode(new Blob([good.subarray(0, good.length - 30)])));
  await assert.rejects(decode(png({ width: 2, height: 2, depth: 8, type: 0, rows: [[1, 2], [3, 4]], filters: [0], interlaced: 1 })), /cannot be read/);
  await assert.rejects(decode(png({ width: 2, height: 9, depth: 8, type: 0, rows: [[1, 2], [3, 4]], filters: [0] })), /ends early/);
});
