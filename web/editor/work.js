/** Runs long work in a worker; here where the browser starts none. */
import { transfer, wrap } from "../vendor/comlink/comlink.js";
import { work } from "./core/work.js";

/** @typedef {ReturnType<typeof startWork>} Work */

const WORKER = new URL("../workers/mask.js", import.meta.url);

/** Start a worker. `run(name, ...arguments)` calls one of its functions. */
export function startWork() {
  /** @type {Worker | null} */
  let worker = null;
  /** @type {any} */
  let remote = work;
  const here = () => {
    worker?.terminate();
    worker = null;
    remote = work;
  };
  try {
    worker = new Worker(WORKER, { type: "module" });
    remote = wrap(worker);
    worker.addEventListener("error", here);
  } catch {
    here();
  }
  return {
    /** @template {keyof typeof work} Name @param {Name} name @param {Parameters<typeof work[Name]>} parts
     * @returns {Promise<Awaited<ReturnType<typeof work[Name]>>>} */
    async run(name, ...parts) {
      const used = worker;
      if (!used) return /** @type {any} */ (work)[name](...parts);
      return Promise.race([remote[name](...parts), failed(used)]).catch((error) => {
        if (worker === used && error !== FAILED) throw error;
        return /** @type {any} */ (work)[name](...parts);
      });
    },
    /** Give a bitmap away to the worker. @param {ImageBitmap} bitmap @param {number} width @param {number} height */
    open(bitmap, width, height) {
      return worker ? remote.open(transfer(bitmap, [bitmap]), width, height) : work.open(bitmap, width, height);
    },
    close: () => worker?.terminate(),
  };
}

const FAILED = new Error("no worker");

/** Reject when a worker can't be loaded. @param {Worker} worker @returns {Promise<never>} */
function failed(worker) {
  return new Promise((_, reject) => worker.addEventListener("error", () => reject(FAILED), { once: true }));
}
