/** The smart brush's edge: a stroke says roughly where it is, the photo's colours say exactly. */
import { guidedFilter } from "./guided.js";
import { clip } from "./mask.js";
import { ahead, section } from "./raster.js";

/** @typedef {import("./mask.js").Rect} Rect */
/** @typedef {{x: number, y: number}} Point px of the picture */
/** @typedef {{points: Point[], radius: number, target: number}} Hint a stroke and the brush's radius; target level 0 or 255 */
/** @typedef {{rect: Rect, width: number, height: number, scale: number}} Grid a part of the picture, on width × height pixels */

/** Of the brush's diameter: the sure middle of the stroke, and the band in which the edge is sought. */
const SURE = 0.5;
const BAND = 1.5;
/** Beyond the band the mask is known this far, by the brush's radius. */
const RING = 0.6;

/** Return the grid around a stroke. @param {Hint} hint @param {{width: number, height: number}} picture @param {number} most px */
export function gridOf({ points, radius }, picture, most) {
  const reach = radius * (BAND + RING) + 2;
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const left = Math.min(...xs) - reach;
  const top = Math.min(...ys) - reach;
  const rect = clip({ x: left, y: top, width: Math.max(...xs) + reach - left, height: Math.max(...ys) + reach - top }, picture.width, picture.height);
  const scale = Math.min(1, Math.sqrt(most / (rect.width * rect.height)));
  return { rect, width: Math.max(1, Math.round(rect.width * scale)), height: Math.max(1, Math.round(rect.height * scale)), scale };
}

/** Return 2 where a stroke is sure, 1 in its band, 0 elsewhere. @param {Hint} hint @param {Grid} grid */
export function zonesOf({ points, radius }, { rect, width, height, scale }) {
  const zones = new Uint8Array(width * height);
  const places = points.map(({ x, y }) => ({ x: (x - rect.x) * scale, y: (y - rect.y) * scale }));
  for (const [share, zone] of [[BAND, 1], [SURE, 2]]) {
    const reach = Math.max(0.5, radius * share * scale);
    places.forEach((b, i) => {
      const a = places[Math.max(0, i - 1)];
      const bottom = Math.min(height, Math.ceil(Math.max(a.y, b.y) + reach));
      for (let y = Math.max(0, Math.floor(Math.min(a.y, b.y) - reach)); y < bottom; y++) {
        const span = section(a, b, reach, y + 0.5);
        if (i > 1) ahead(a, b, y + 0.5, span);
        const left = Math.max(0, Math.floor(span[0] + 0.5));
        const right = Math.min(width, Math.ceil(span[1] - 0.5));
        if (left < right) zones.fill(zone, y * width + left, y * width + right);
      }
    });
  }
  return zones;
}

/** Return how the photo's colours move a grid's levels. @param {Hint} hint @param {Grid} grid @param {Uint8Array} old levels
 * @param {Uint8ClampedArray} rgb 4 bytes a pixel */
export function edgeOf(hint, grid, old, rgb) {
  const zones = zonesOf(hint, grid);
  const known = new Uint8Array(old.length);
  const levels = old.slice();
  for (let i = 0; i < old.length; i++) {
    if (zones[i] === 2) levels[i] = hint.target;
    if (zones[i] !== 1) known[i] = 1;
  }
  const radius = Math.max(2, Math.round(BAND * hint.radius * grid.scale));
  return moved(hint, zones, old, guidedFilter({ ...grid, rgb }, levels, known, { radius }));
}

/** Return the levels moved towards the stroke's target: to it where the stroke is sure, in the band as far as was found. Elsewhere they are
 * the other end, which moves nothing. `unsure`: the band's share that is neither kept nor erased.
 * @param {Hint} hint @param {Uint8Array} zones @param {Uint8Array} old @param {Uint8Array} found */
export function moved({ target }, zones, old, found) {
  const levels = new Uint8Array(old.length).fill(255 - target);
  let count = 0;
  let total = 0;
  for (let i = 0; i < old.length; i++) {
    if (zones[i] === 2) levels[i] = target;
    else if (zones[i]) {
      levels[i] = target ? Math.max(old[i], found[i]) : Math.min(old[i], found[i]);
      total++;
      if (found[i] >= 16 && found[i] < 240) count++;
    }
  }
  return { levels, unsure: total && count / total };
}
