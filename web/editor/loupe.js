/** The magnifier beside a finger that paints: what is under it, which it hides. */

export const RADIUS = 56;
/** From the finger's middle to the magnifier's. */
const AWAY = 104;
const EDGE = 8;
const TIMES = 2;

/**
 * Where the magnifier's middle is, in CSS px: above and to the left of the finger, on the other side where there is no space.
 * @param {{x: number, y: number}} finger @param {{width: number, height: number}} stage
 */
export function loupePlace({ x, y }, { width, height }) {
  const least = RADIUS + EDGE;
  const left = x - AWAY;
  const above = y - AWAY * 0.75;
  return { x: left >= least ? left : Math.min(x + AWAY, width - least), y: Math.min(height - least, Math.max(least, above)) };
}

/**
 * @param {CanvasRenderingContext2D} context in CSS px @param {HTMLCanvasElement} picture the stage's, as it is drawn
 * @param {{x: number, y: number, radius: number}} finger its brush, in CSS px @param {number} ratio device px for each CSS px
 */
export function drawLoupe(context, picture, finger, ratio) {
  const { x, y } = loupePlace(finger, { width: picture.width / ratio, height: picture.height / ratio });
  const seen = (2 * RADIUS) / TIMES;
  context.save();
  context.beginPath();
  context.arc(x, y, RADIUS, 0, 2 * Math.PI);
  context.shadowColor = "rgb(0 0 0 / 45%)";
  context.shadowBlur = 18 * ratio;
  context.shadowOffsetY = 4 * ratio;
  context.fillStyle = "#1c1c20";
  context.fill();
  context.shadowColor = "transparent";
  context.save();
  context.clip();
  const [left, top] = [finger.x - seen / 2, finger.y - seen / 2].map((at) => at * ratio);
  context.drawImage(picture, left, top, seen * ratio, seen * ratio, x - RADIUS, y - RADIUS, 2 * RADIUS, 2 * RADIUS);
  ring(context, x, y, Math.max(2, finger.radius * TIMES));
  context.restore();
  context.beginPath();
  context.arc(x, y, RADIUS, 0, 2 * Math.PI);
  context.lineWidth = 3;
  context.strokeStyle = "#fff";
  context.stroke();
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} radius */
function ring(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  for (const [width, colour] of /** @type {[number, string][]} */ ([[3, "rgb(0 0 0 / 75%)"], [1.5, "#fff"]])) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }
}
