import assert from "node:assert/strict";
import { test } from "node:test";
import zlib from "node:zlib";
import { inflate } from "../../../web/editor/core/inflate.js";
import { deflate } from "../../../web/editor/core/streams.js";
import { noise, softEllipse } from "./samples.mjs";

const SAMPLES = {
  zeros: new Uint8Array(65536),
  noise: noise(65536),
  matte: softEllipse(256, 256),
  text: new TextEncoder().encode("undo ".repeat(3000)),
  short: new Uint8Array([7]),
  empty: new Uint8Array(),
};

test("inflate gives the bytes that any level and strategy of deflate packed", () => {
  for (const [name, bytes] of Object.entries(SAMPLES))
    for (const level of [0, 1, 6, 9])
      for (const strategy of [zlib.constants.Z_DEFAULT_STRATEGY, zlib.constants.Z_FIXED, zlib.constants.Z_HUFFMAN_ONLY, zlib.constants.Z_RLE]) {
        const packed = zlib.deflateRawSync(bytes, { level, strategy });
        assert.deepEqual(inflate(new Uint8Array(packed), bytes.length), bytes, `${name} ${level} ${strategy}`);
      }
});

test("deflate by the browser's stream is inflated", async () => {
  for (const bytes of Object.values(SAMPLES)) assert.deepEqual(inflate(await deflate(bytes), bytes.length), bytes);
});

test("damaged data throws and never hangs", () => {
  const packed = new Uint8Array(zlib.deflateRawSync(SAMPLES.matte));
  let thrown = 0;
  for (let i = 0; i < 300; i++) {
    const damaged = packed.slice(0, i % 3 ? packed.length : (packed.length * i) / 300);
    if (i % 3) damaged[(i * 7919) % damaged.length] ^= 1 << i % 8;
    try {
      assert.equal(inflate(damaged, 65536).length, 65536);
    } catch (error) {
      assert.match(String(error), /damaged/);
      thrown++;
    }
  }
  assert.ok(thrown > 150);
});
