// Where the person is: `#/` the library, `#/edit/<id>` the editor.
import { signal } from "../vendor/signals/signals-core.js";

/** @typedef {{name: "library"} | {name: "edit", id: string}} Route */

/** @param {string} hash @returns {Route} */
export function routeOf(hash) {
  const [, id] = /^#\/edit\/([^/?]+)$/.exec(hash) ?? [];
  return id ? { name: "edit", id: decodeURIComponent(id) } : { name: "library" };
}

/** @type {import("../vendor/signals/signals-core.js").Signal<Route>} */
export const route = signal(/** @type {Route} */ ({ name: "library" }));

/** @param {Route} to */
export function hrefOf(to) {
  return to.name === "edit" ? `#/edit/${encodeURIComponent(to.id)}` : "#/";
}

/** @param {Route} to */
export function go(to) {
  location.hash = hrefOf(to);
}

export function startRouter() {
  const follow = () => { route.value = routeOf(location.hash); };
  addEventListener("hashchange", follow);
  follow();
}
