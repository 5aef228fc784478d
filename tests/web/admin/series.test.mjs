// The figures of the administrators' plot.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ceiling, largest } from "../../../web/admin/series.js";

test("the scale ends at a round number that holds the largest day", () => {
  assert.deepEqual([1, 3, 7, 10, 11, 550, 850, 1001].map(ceiling), [2, 3, 8, 10, 20, 600, 1000, 2000]);
});

test("the smallest series become one, and those without images none", () => {
  const found = new Map([["a", [1, 0]], ["b", [5, 5]], ["c", [0, 0]], ["d", [2, 2]], ["e", [0, 3]]]);
  assert.deepEqual(largest(found, 3, "others"), [
    { name: "b", values: [5, 5] },
    { name: "d", values: [2, 2] },
    { name: "others", values: [1, 3] },
  ]);
  assert.equal(largest(found, 4, "others").length, 4);
});
