// Properties of controls, which people change as well.
import { noChange } from "../vendor/lit-html/lit-html.js";
import { Directive, directive } from "../vendor/lit-html/directive.js";

/** A property as it is wanted, set again where the person has changed it. Only for properties: `.value=${live(…)}`. */
export const live = directive(class extends Directive {
  /** @override @param {unknown} value */
  render(value) { return value; }

  /** @override @param {any} part @param {unknown[]} values */
  update({ element, name }, [value]) {
    if (element[name] !== value) element[name] = value;
    return noChange;
  }
});
