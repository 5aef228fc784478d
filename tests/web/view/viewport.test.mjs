import assert from 'node:assert/strict';
import {test} from 'node:test';
import {LARGEST_SCALE, Viewport} from '../../../web/editor/viewport.js';

/** A stage of 1000 × 600 px at (100, 50), with a picture of 4000 × 3000 px. */
function staged() {
  const viewport = new Viewport(4000, 3000);
  viewport.place(100, 50, 1000, 600);
  return viewport;
}

function near(actual, expected, tolerance = 1e-6) {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
}

test('a picture is fitted with room around it', () => {
  const viewport = staged();
  near(viewport.scale.value, (600 - 48) / 3000);
  const corner = viewport.toScreen(0, 0);
  near(corner.y, 50 + 24);
});

test('a small picture is enlarged at most four times to fit', () => {
  const viewport = new Viewport(40, 30);
  viewport.place(0, 0, 1000, 600);
  assert.equal(viewport.scale.value, 4);
});

test('the point under the cursor stays there at every scale', () => {
  const viewport = staged();
  viewport.fit();
  for (const factor of [1.3, 2.7, 5, 8, 3, 0.1, 0.3, 0.5, 0.2]) {
    const before = viewport.toImage(731, 402);
    viewport.zoomAt(731, 402, factor);
    const after = viewport.toScreen(before.x, before.y);
    near(after.x, 731);
    near(after.y, 402);
  }
});

test('screen and picture convert into each other', () => {
  const viewport = staged();
  viewport.zoomAt(300, 300, 7);
  viewport.pan(13, -40);
  const place = viewport.toScreen(210, 96);
  const point = viewport.toImage(place.x, place.y);
  near(point.x, 210);
  near(point.y, 96);
});

test('the scale ends at 64 and at a quarter of the fitted one', () => {
  const viewport = staged();
  const fitted = viewport.scale.value;
  viewport.zoomAt(600, 300, 1e6);
  assert.equal(viewport.scale.value, LARGEST_SCALE);
  viewport.zoomAt(600, 300, 1e-9);
  near(viewport.scale.value, fitted / 4);
});

test('a picture can not be moved off the stage', () => {
  const viewport = staged();
  viewport.pan(1e6, 1e6);
  const corner = viewport.toScreen(0, 0);
  near(corner.x, 100 + 1000 - 48);
  near(corner.y, 50 + 600 - 48);
});

test('a fitted picture stays fitted when the stage changes', () => {
  const viewport = staged();
  viewport.place(100, 50, 500, 600);
  near(viewport.scale.value, (500 - 48) / 4000);
});

test('any other picture keeps its middle when the stage changes', () => {
  const viewport = staged();
  viewport.zoomAt(400, 300, 4);
  const {x, y, scale} = viewport;
  const before = [x.value, y.value, scale.value];
  viewport.place(100, 50, 700, 400);
  assert.deepEqual([x.value, y.value, scale.value], before);
});

test('the canvas belongs to what is fitted', () => {
  const viewport = staged();
  viewport.show({x: -1000, y: 0, width: 6000, height: 3000});
  const left = viewport.toScreen(-1000, 0);
  near(left.x, 100 + 24);
});

test('both panes show the same point, and the pointer finds it in either', () => {
  const viewport = staged();
  viewport.arrange('columns');
  viewport.zoomAt(300, 300, 3);
  const first = viewport.toImage(100 + 200, 50 + 100);
  const second = viewport.toImage(100 + 501 + 200, 50 + 100);
  near(first.x, second.x);
  near(first.y, second.y);
});

test('a view is restored', () => {
  const viewport = staged();
  viewport.restore({scale: 2, x: 777, y: 333});
  assert.deepEqual([viewport.scale.value, viewport.x.value, viewport.y.value], [2, 777, 333]);
});

test('one px of the picture is one px of the screen at its actual size', () => {
  const viewport = staged();
  viewport.actual();
  assert.equal(viewport.scale.value, 1);
});

test('what floats over the stage covers nothing of a fitted picture', () => {
  const viewport = staged();
  viewport.insets = {left: 100, top: 10, right: 20, bottom: 90};
  viewport.fit();
  const first = viewport.toScreen(0, 0);
  const last = viewport.toScreen(4000, 3000);
  near(first.y, 50 + 10);
  near(last.y, 50 + 600 - 90);
  assert.ok(first.x >= 100 + 100 && last.x <= 100 + 1000 - 20);
});
