// Paint strokes with the page's brush: a list of cases as JSON on the way in, the masks' bytes on the way out.
import { readFileSync, writeSync } from "node:fs";
import { History } from "../../web/editor/core/history.js";
import { Mask } from "../../web/editor/core/mask.js";
import { Stroke } from "../../web/editor/core/raster.js";

const { width, height, bytes, cases } = JSON.parse(readFileSync(0, "utf8"));
for (const { points, brush } of cases) {
  const mask = Mask.fromBytes(width, height, Uint8Array.from(bytes));
  const history = new History(mask, { deflate: async (data) => data });
  const stroke = new Stroke(mask, history.begin("brush"), brush);
  for (const [x, y, size, opacity] of points) stroke.to({ x, y, size, opacity });
  const painted = mask.toBytes();
  for (let sent = 0; sent < painted.length; ) sent += writeSync(1, painted, sent);
}
