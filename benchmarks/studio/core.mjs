// Measure the editor's core without a browser: node --expose-gc benchmarks/studio/core.mjs
// The numbers are those of the studio's acceptance: 4 stroke, 6 open and save, 7 history, 8 wand, 9 smart brush.
import { boxSums } from "../../web/editor/core/blur.js";
import { flood, oklab } from "../../web/editor/core/flood.js";
import { guidedFilter } from "../../web/editor/core/guided.js";
import { History } from "../../web/editor/core/history.js";
import { Mask } from "../../web/editor/core/mask.js";
import { decodeMask, encode } from "../../web/editor/core/png8.js";
import { Stroke } from "../../web/editor/core/raster.js";
import { deflate } from "../../web/editor/core/streams.js";

const MP = 1e6;

/** @param {number} megapixels */
function size(megapixels) {
  const width = Math.round(Math.sqrt((megapixels * MP * 4) / 3));
  return { width, height: Math.round((width * 3) / 4) };
}

/** A matte with a soft edge, and a photo whose colours drift. @param {number} megapixels */
function matte(megapixels) {
  const { width, height } = size(megapixels);
  const bytes = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const far = Math.hypot(x / width - 0.5, y / height - 0.5) + 0.01 * Math.sin(x / 9) * Math.cos(y / 7);
      bytes[y * width + x] = Math.max(0, Math.min(255, (0.33 - far) * 12000));
    }
  return { width, height, bytes };
}

/** @param {number} megapixels */
function photo(megapixels) {
  const { width, height, bytes } = matte(megapixels);
  const rgb = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const grain = ((i * 2654435761) >>> 24) % 9;
    const level = bytes[i] / 255;
    rgb[4 * i] = 60 + 130 * level + grain;
    rgb[4 * i + 1] = 90 + grain + ((i % width) / width) * 20;
    rgb[4 * i + 2] = 160 - 100 * level;
    rgb[4 * i + 3] = 255;
  }
  return { width, height, rgb };
}

/** Processor time, which other work on the machine hardly changes. @param {() => any} run */
async function time(run) {
  const began = process.cpuUsage();
  const value = await run();
  const used = process.cpuUsage(began);
  return { ms: (used.user + used.system) / 1000, value };
}

/** @param {number[]} values @param {number} share */
const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)];

/** @param {number} number @param {string} what @param {string} value @param {string} bound */
function row(number, what, value, bound) {
  console.log(`| ${number} | ${what} | ${value} | ${bound} |`);
}

async function strokes() {
  const { width, height, bytes } = matte(24);
  const mask = Mask.fromBytes(width, height, bytes);
  for (const diameter of [64, 500, 1000]) {
    const history = new History(mask, { deflate });
    const times = [];
    for (let round = 0; round < 6; round++) {
      const transaction = history.begin("brush");
      const stroke = new Stroke(mask, transaction, { target: round % 2 ? 255 : 0, size: diameter, hardness: 0.5, opacity: 1 });
      for (let i = 0; i < 60; i++) {
        const point = { x: width * 0.2 + i * 22, y: height / 2 + 400 * Math.sin(i / 8 + round) };
        const began = performance.now();
        stroke.to(point);
        times.push(performance.now() - began);
      }
      transaction.cancel();
    }
    row(4, `segment of a ${diameter} px brush at 24 MP`, `median ${quantile(times, 0.5).toFixed(2)} ms, p95 ${quantile(times, 0.95).toFixed(2)} ms`, diameter === 500 ? "4 ms, 12 ms" : "");
  }
}

async function openAndSave() {
  for (const megapixels of [1, 6, 24, 50]) {
    const { width, height, bytes } = matte(megapixels);
    const file = await encode(Mask.fromBytes(width, height, bytes));
    const opened = await time(() => decodeMask(file));
    const saved = await time(() => encode(opened.value));
    const [a, b] = await Promise.all([file, saved.value].map(async (blob) => Buffer.from(await blob.arrayBuffer())));
    const same = a.equals(b) && Buffer.compare(opened.value.toBytes(), bytes) === 0;
    row(6, `open and save ${megapixels} MP (${(file.size / 1e3).toFixed(0)} kB)`, `${same ? "identical" : "DIFFERENT"}; open ${opened.ms.toFixed(0)} ms, save ${saved.ms.toFixed(0)} ms`, "identical");
  }
}

async function history() {
  const { width, height, bytes } = matte(24);
  const mask = Mask.fromBytes(width, height, bytes);
  globalThis.gc?.();
  const before = process.memoryUsage();
  const undo = new History(mask, { deflate });
  let made = 0;
  for (let i = 0; made < 200; i++) {
    const transaction = undo.begin("brush");
    const stroke = new Stroke(mask, transaction, { target: i % 2 ? 0 : 255, size: 200 + i, hardness: (i % 5) / 4, opacity: 1 });
    // About 1500 px along a wave, anywhere in the picture.
    const [x, y] = [(width * ((i * 37) % 70)) / 100, height * (0.1 + ((i * 53) % 80) / 100)];
    for (let j = 0; j < 60; j++) stroke.to({ x: x + j * 25, y: y + 200 * Math.sin(j / 9 + i) });
    if (transaction.commit()) made++;
    await undo.settled();
  }
  const last = mask.toBytes();
  globalThis.gc?.();
  const after = process.memoryUsage();
  const done = undo.depth;
  const undone = await time(() => { while (undo.undo()); });
  const first = done === made && Buffer.compare(mask.toBytes(), bytes) === 0;
  const redone = await time(() => { while (undo.redo()); });
  const again = Buffer.compare(mask.toBytes(), last) === 0;
  const grown = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers - last.length) / 1e6;
  row(7, "200 strokes at 24 MP", `history ${(undo.size / 1e6).toFixed(1)} MB, memory + ${grown.toFixed(0)} MB, ${done} steps`, "64 MB, 160 MB");
  row(7, "200 undos, 200 redos", `${first ? "first" : "OTHER"} bytes, ${again ? "last" : "OTHER"} bytes; ${(undone.ms / done).toFixed(1)} and ${(redone.ms / done).toFixed(1)} ms each`, "first, last");
}

async function wand() {
  for (const megapixels of [6, 8]) {
    const { width, height, rgb } = photo(megapixels);
    const planes = await time(() => oklab(rgb, width, height));
    const found = await time(() => flood(planes.value, 5, 5, { tolerance: 20, contiguous: true }));
    row(8, `wand, ${megapixels} MP of planes`, `planes ${planes.ms.toFixed(0)} ms once, flood ${found.ms.toFixed(0)} ms`, megapixels === 6 ? "250 ms" : "500 ms at 24 MP, with rim");
  }
}

async function smart() {
  const { width, height, rgb } = photo(1);
  const { bytes } = matte(1);
  const known = bytes.map((level) => (level === 0 || level === 255 ? 1 : 0));
  boxSums(bytes, width, height, 5);
  const times = [];
  for (let i = 0; i < 5; i++) times.push((await time(() => guidedFilter({ rgb, width, height }, bytes, known, { radius: 40 }))).ms);
  row(9, "guided filter, 1 MP", `median ${quantile(times, 0.5).toFixed(0)} ms`, "150 ms");
}

console.log("| # | what | measured | bound |\n| --- | --- | --- | --- |");
for (const run of [strokes, openAndSave, history, wand, smart]) await run();
