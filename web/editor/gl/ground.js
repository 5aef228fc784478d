/** What is behind the subject: nothing, a colour, a gradient, a picture, or the photo itself, blurred. */

/** @typedef {import("./small.js").Rect} Rect */
/** @typedef {[number, number, number, number]} Colour red, green, blue and alpha, 0 to 1 */
/** @typedef {ImageBitmap | HTMLCanvasElement} Picture */
/**
 * @typedef {{kind: "none"} | {kind: "colour", colour: Colour} | {kind: "gradient", degrees: number, first: Colour, second: Colour} |
 *   {kind: "picture", picture: Picture, area: Rect}} Ground a picture fills `area`, in px of the photo
 */

/**
 * The ground that options ask for.
 * @param {{[name: string]: string}} options @param {Rect} frame @param {Picture | null} picture @param {Picture | null} blurred @param {{width: number, height: number}} photo
 * @returns {Ground}
 */
export function groundOf(options, frame, picture, blurred, photo) {
  if (picture) return { kind: "picture", picture, area: covering(picture, frame) };
  if (options.background_blur && blurred) {
    const whole = { x: 0, y: 0, ...photo };
    return { kind: "picture", picture: blurred, area: holds(whole, frame) ? whole : covering(photo, frame) };
  }
  const [degrees, first, second] = (options.background_gradient ?? "").trim().split(/\s+/);
  if (second) return { kind: "gradient", degrees: parseFloat(degrees), first: colourOf(first), second: colourOf(second) };
  if (options.background) return { kind: "colour", colour: colourOf(options.background) };
  // JPEG has no transparency: the server fills it with white.
  return options.format === "jpeg" || options.format === "jpg" ? { kind: "colour", colour: [1, 1, 1, 1] } : { kind: "none" };
}

/** The place of a picture that covers a frame from its middle. @param {{width: number, height: number}} picture @param {Rect} frame @returns {Rect} */
export function covering(picture, frame) {
  const scale = Math.max(frame.width / picture.width, frame.height / picture.height);
  const width = picture.width * scale;
  const height = picture.height * scale;
  return { x: frame.x + (frame.width - width) / 2, y: frame.y + (frame.height - height) / 2, width, height };
}

/** @param {Rect} outer @param {Rect} inner */
function holds(outer, inner) {
  return (
    outer.x <= inner.x && outer.y <= inner.y &&
    outer.x + outer.width >= inner.x + inner.width && outer.y + outer.height >= inner.y + inner.height
  );
}

/** A colour as the API takes it: hex with or without `#`, or a CSS name. @param {string} text @returns {Colour} */
export function colourOf(text) {
  const word = text.trim().toLowerCase();
  const digits = /^#?([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/.exec(word)?.[1] ?? namedColour(word);
  const full = digits.length < 6 ? [...digits].map((digit) => digit + digit).join("") : digits;
  const value = (/** @type {number} */ at) => parseInt(full.slice(at, at + 2) || "ff", 16) / 255;
  return [value(0), value(2), value(4), value(6)];
}

/** @param {string} name */
function namedColour(name) {
  if (name === "transparent" || typeof document === "undefined") return "00000000";
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return "00000000";
  context.fillStyle = "#000000";
  context.fillStyle = name;
  return String(context.fillStyle).slice(1);
}
