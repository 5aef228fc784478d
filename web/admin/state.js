// What the sections show: the last answer of the server, or why there is none.
import { signal } from "../vendor/signals/signals-core.js";
import { ask } from "./api.js";

/**
 * @template T
 * @typedef {{data?: T, error?: import("./api.js").ApiError, busy: boolean}} Loaded
 */

/**
 * An answer of the server, loaded when its section is shown. The last answer stays until the next one comes.
 * @template T
 */
export class Source {
  /** @param {() => string} path */
  constructor(path) {
    this.path = path;
    /** @type {import("../vendor/signals/signals-core.js").Signal<Loaded<T>>} */
    this.state = signal(/** @type {Loaded<T>} */ ({ busy: false }));
    this.asked = 0;
  }

  async load() {
    this.asked += 1;
    const mine = this.asked;
    this.state.value = { ...this.state.peek(), busy: true };
    try {
      const data = await ask(this.path());
      if (mine === this.asked) this.state.value = { data, busy: false };
    } catch (error) {
      if (mine === this.asked) this.state.value = { ...this.state.peek(), error: /** @type {import("./api.js").ApiError} */ (error), busy: false };
    }
  }

  clear() {
    this.asked += 1;
    this.state.value = { busy: false };
  }
}

/** The days that the usage covers. */
export const days = signal(30);
/** @type {Source<import("./api.js").Overview>} */
export const overview = new Source(() => "/api/admin/overview");
/** @type {Source<{keys: import("./api.js").Key[]}>} */
export const keys = new Source(() => "/api/admin/keys");
/** @type {Source<import("./api.js").Usage>} */
export const usage = new Source(() => `/api/admin/usage?days=${days.peek()}`);
/** @type {Source<{jobs: import("./api.js").FailedJob[], next_cursor: string|null}>} */
export const failed = new Source(() => "/api/admin/failed-jobs?limit=50");

/** @type {Source<{invitations: import("./api.js").Invitation[]}>} */
export const invitations = new Source(() => "/api/admin/invitations");
