import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../../../web/editor/core/history.js";
import { Mask } from "../../../web/editor/core/mask.js";
import { Stroke } from "../../../web/editor/core/raster.js";
import { deflate, noise, softEllipse } from "./samples.mjs";

const BRUSH = { target: 0, size: 60, hardness: 0.5, opacity: 1 };

/** @param {History} history @param {{x: number, y: number}[]} points */
function stroke(history, points, brush = BRUSH) {
  const transaction = history.begin("brush");
  const painted = new Stroke(history.mask, transaction, brush);
  for (const point of points) painted.to(point);
  return transaction.commit();
}

function start(options = {}) {
  const mask = Mask.fromBytes(600, 500, softEllipse(600, 500));
  return { mask, history: new History(mask, { deflate, ...options }) };
}

test("only a history that dropped nothing goes back to the first mask", async () => {
  const { history } = start({ budget: 3000 });
  stroke(history, [{ x: 200, y: 240 }, { x: 300, y: 150 }]);
  await history.settled();
  assert.equal(history.whole, true);
  for (let i = 0; i < 5; i++) stroke(history, [{ x: 120 + 40 * i, y: 240 }, { x: 300, y: 150 + 40 * i }], { ...BRUSH, target: i % 2 ? 255 : 0 });
  await history.settled();
  assert.equal(history.whole, false);
});

test("undo and redo give the bytes of every step, before and after deflating", async () => {
  const { mask, history } = start();
  const steps = [mask.toBytes()];
  for (let i = 0; i < 20; i++) {
    assert.ok(stroke(history, [{ x: 200 + 9 * i, y: 240 }, { x: 300, y: 150 + 10 * i }], { ...BRUSH, target: i % 2 ? 255 : 0 }));
    steps.push(mask.toBytes());
  }
  for (const settled of [false, true]) {
    if (settled) await history.settled();
    for (let i = 19; i >= 0; i--) {
      history.undo();
      assert.deepEqual(mask.toBytes(), steps[i]);
    }
    assert.equal(history.undo(), null);
    for (let i = 1; i <= 20; i++) {
      history.redo();
      assert.deepEqual(mask.toBytes(), steps[i]);
    }
    assert.equal(history.redo(), null);
  }
  assert.ok(history.entries.every(({ deltas }) => deltas.every(({ packed }) => packed)));
});

test("a change after an undo drops what could be redone", () => {
  const { history } = start();
  stroke(history, [{ x: 300, y: 250 }]);
  stroke(history, [{ x: 300, y: 200 }]);
  history.undo();
  stroke(history, [{ x: 250, y: 250 }]);
  assert.equal(history.canRedo, false);
  assert.equal(history.depth, 2);
});

test("a cancelled change leaves the mask's bytes and no entry", () => {
  const { mask, history } = start();
  const before = mask.toBytes();
  const transaction = history.begin("brush");
  new Stroke(mask, transaction, BRUSH).to({ x: 300, y: 250 });
  assert.notDeepEqual(mask.toBytes(), before);
  assert.equal(history.undo(), null);
  transaction.cancel();
  assert.deepEqual(mask.toBytes(), before);
  assert.equal(history.depth, 0);
});

test("a change that another one comes upon is an entry as it is", () => {
  const { mask, history } = start();
  const before = mask.toBytes();
  const transaction = history.begin("brush");
  new Stroke(mask, transaction, BRUSH).to({ x: 300, y: 250 });
  stroke(history, [{ x: 200, y: 200 }]);
  assert.equal(transaction.commit(), null);
  assert.equal(history.depth, 2);
  while (history.undo());
  assert.deepEqual(mask.toBytes(), before);
});

test("a change that waits for its edge is undone, one that is being painted is not", () => {
  const { mask, history } = start();
  const before = mask.toBytes();
  const transaction = history.begin("smart");
  new Stroke(mask, transaction, BRUSH).to({ x: 300, y: 250 });
  assert.equal(history.undo(), null);
  transaction.waits = true;
  assert.ok(history.canUndo);
  assert.equal(history.undo()?.tool, "smart");
  assert.deepEqual(mask.toBytes(), before);
  assert.ok(history.canRedo);
});

test("a change of nothing makes no entry", () => {
  const { history } = start();
  assert.equal(stroke(history, [{ x: 5, y: 5 }]), null);
  assert.equal(history.depth, 0);
});

test("an entry says how much of the picture it erased", () => {
  const mask = new Mask(512, 512);
  const history = new History(mask, { deflate });
  const entry = stroke(history, [{ x: 256, y: 256 }], { target: 0, size: 100, hardness: 1, opacity: 1 });
  assert.ok(Math.abs(entry.change + (Math.PI * 50 * 50) / 512 / 512) < 1e-3);
});

test("the oldest entries leave when the budget is used up", async () => {
  const { mask, history } = start({ budget: 20000 });
  const steps = [mask.toBytes()];
  for (let i = 0; i < 30; i++) {
    stroke(history, [{ x: 200 + 7 * i, y: 150 }, { x: 300, y: 150 + 9 * i }], { ...BRUSH, target: i % 2 ? 255 : 0 });
    steps.push(mask.toBytes());
  }
  await history.settled();
  assert.ok(history.size <= 20000);
  assert.ok(history.depth >= 1 && history.depth < 30);
  const left = history.depth;
  while (history.undo());
  assert.deepEqual(mask.toBytes(), steps[30 - left]);
});

test("a deflate that fails leaves entries that can be undone", async () => {
  const { mask, history } = start({ deflate: () => Promise.reject(new Error("no worker")) });
  const before = mask.toBytes();
  stroke(history, [{ x: 300, y: 250 }]);
  await history.settled();
  history.undo();
  assert.deepEqual(mask.toBytes(), before);
});

test("saved entries undo after they are put back", async () => {
  const { mask, history } = start();
  const before = mask.toBytes();
  stroke(history, [{ x: 300, y: 250 }]);
  stroke(history, [{ x: 100, y: 250 }, { x: 400, y: 300 }]);
  await history.settled();
  const again = new History(Mask.fromBytes(600, 500, mask.toBytes()), { deflate });
  again.restore(structuredClone(history.entries), history.depth);
  again.undo();
  again.undo();
  assert.deepEqual(again.mask.toBytes(), before);
  stroke(again, [{ x: 300, y: 100 }]);
  assert.equal(again.entries[0].seq, 3);
});

test("noise on every tile survives", async () => {
  const { mask, history } = start();
  const before = mask.toBytes();
  const transaction = history.begin("invert");
  const rect = { x: 0, y: 0, width: 600, height: 500 };
  mask.tilesIn(rect).forEach((n) => transaction.touch(n));
  mask.write(rect, noise(300000));
  transaction.commit();
  await history.settled();
  history.undo();
  assert.deepEqual(mask.toBytes(), before);
  history.redo();
  assert.deepEqual(mask.toBytes(), noise(300000));
});

test("a last step is replaced; an earlier one stays", () => {
  const { mask, history } = start();
  const before = mask.toBytes();
  const first = stroke(history, [{ x: 300, y: 250 }]);
  const paint = (/** @type {any} */ transaction) => new Stroke(mask, transaction, { ...BRUSH, size: 20 }).to({ x: 280, y: 240 });
  history.replace(first, paint);
  assert.equal(history.depth, 1);
  const replaced = mask.toBytes();
  history.replace(first, () => assert.fail("it is not the last step any more"));
  history.undo();
  assert.deepEqual(mask.toBytes(), before);
  history.redo();
  assert.deepEqual(mask.toBytes(), replaced);
  history.replace(history.entries[0], () => {});
  assert.deepEqual(mask.toBytes(), replaced);
  assert.equal(history.depth, 1);
});

test("strokes that come faster than they are deflated are all kept", async () => {
  const { history } = start({ budget: 150000 });
  for (let i = 0; i < 20; i++) stroke(history, [{ x: 200 + 9 * i, y: 240 }, { x: 300, y: 150 + 10 * i }], { ...BRUSH, target: i % 2 ? 255 : 0 });
  assert.ok(history.size > 150000);
  await history.settled();
  assert.equal(history.depth, 20);
  assert.ok(history.size < 150000);
});
