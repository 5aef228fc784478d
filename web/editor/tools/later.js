/** A tool whose code is loaded when it is chosen, or while nothing else happens. */
import { signal } from "../../vendor/signals/signals-core.js";

/** @typedef {import("./context.js").Place} Place */
/** @typedef {import("./context.js").Tool} Tool */

export class LaterTool {
  pending = signal(false);
  /** @type {Tool | undefined} */
  #tool;
  /** @type {Promise<void> | undefined} */
  #loading;
  /** What the pointer has done meanwhile. @type {((tool: Tool) => unknown)[]} */
  #done = [];
  #stopped = false;

  /** @param {string} name @param {() => Promise<Tool>} make @param {(tool: Tool) => void} arrived takes its place */
  constructor(name, make, arrived) {
    this.name = name;
    this.ring = name === "smart";
    this.make = make;
    this.arrived = arrived;
  }

  load() {
    this.#loading ??= this.#load().catch((error) => { this.#loading = undefined; throw error; });
    return this.#loading;
  }

  async #load() {
    const tool = await this.make();
    if (this.#stopped) return tool.stop?.();
    this.#tool = tool;
    this.arrived(tool);
    for (const run of this.#done.splice(0)) run(tool);
  }

  /** @param {(tool: Tool) => unknown} run */
  #run(run) {
    if (this.#tool) run(this.#tool);
    else this.#done.push(run);
  }

  /** @param {Place} place */
  begin(place) { this.#run((tool) => tool.begin(place)); }

  /** @param {Place[]} places */
  move(places) { this.#run((tool) => tool.move(places)); }

  /** @param {Place} place */
  end(place) { this.#run((tool) => tool.end(place)); }

  cancel() {
    this.#done = [];
    this.#tool?.cancel();
  }

  stop() {
    this.#stopped = true;
    this.#tool?.stop?.();
  }
}
