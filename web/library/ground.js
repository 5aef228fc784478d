// What stands behind a cut-out, as CSS shows it.

/** @typedef {import("../app/store.js").Options} Options */

/** The CSS background of a picture with these options; "" for the checkerboard. @param {Options} options */
export function groundOf({ background, background_gradient: gradient, format }) {
  if (gradient) {
    const [degrees, ...colours] = gradient.split(/\s+/);
    return `linear-gradient(${degrees}deg, ${colours.join(", ")})`;
  }
  if (background) return /^[0-9a-f]{3,8}$/i.test(background) ? `#${background}` : background;
  // JPEG has no transparency: the server puts white behind it.
  return format === "jpeg" || format === "jpg" ? "#fff" : "";
}
