/**
 * The options of a result, and the service's presets of them.
 */

/** @typedef {{[name: string]: string}} Options */
/** @typedef {{name: string, title: string, options: Options, source: string, date: string, note: string}} Preset */

/**
 * Options with changes; "" and undefined take an option away.
 * @param {Options} options @param {{[name: string]: string | number | undefined}} changes @returns {Options}
 */
export function changed(options, changes) {
  /** @type {Options} */
  const made = { ...options };
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === "") delete made[name];
    else made[name] = String(value);
  }
  return made;
}

/** The presets of the service, in whichever form it gives them. @param {{[name: string]: any}} presets @returns {Preset[]} */
export function presetList(presets) {
  return Object.entries(presets).map(([name, preset]) => {
    const described = typeof preset.options === "object" && preset.options !== null;
    const { options = {}, title = "", source = "", date = "", note = "" } = described ? preset : { options: preset };
    return { name, title: title || titled(name), options: texts(options), source, date, note };
  });
}

/** Options with those of the preset that they name, in place of its name. @param {Options} options @param {Preset[]} presets @returns {Options} */
export function withoutName(options, presets) {
  if (!options.preset) return options;
  const preset = presets.find(({ name }) => name === options.preset);
  const { preset: _, ...given } = options;
  return preset ? { ...preset.options, ...given } : options;
}

/** @param {{[name: string]: unknown}} options @returns {Options} */
function texts(options) {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, String(value)]));
}

/** @param {string} name */
function titled(name) {
  return (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("_", " ");
}
