/** Runs long work in a worker; here where the browser starts none. */
import { releaseProxy, transfer, wrap } from "../vendor/comlink/comlink.js";

/** @typedef {typeof import("./core/work.js").work} Functions */

const WORKER = new URL("../workers/mask.js", import.meta.url);
const FAILED = new Error("no worker");

/** Start a worker. `run(name, ...arguments)` calls one of its functions. */
export function startWork() {
  let worker = start();
  const remote = worker && wrap(worker);
  const fail = () => {
    // What still waits for an answer would be held in memory.
    if (worker) remote[releaseProxy]();
    worker?.terminate();
    worker = null;
  };
  worker?.addEventListener("error", fail);
  /** @param {string} name @param {any[]} parts */
  const here = async (name, parts) => {
    const { work } = await import("./core/work.js");
    return /** @type {any} */ (work)[name](...parts);
  };
  return {
    /** @template {keyof Functions} Name @param {Name} name @param {Parameters<Functions[Name]>} parts
     * @returns {Promise<Awaited<ReturnType<Functions[Name]>>>} */
    run(name, ...parts) {
      if (!worker) return here(name, parts);
      return Promise.race([remote[name](...parts), failed(worker)]).catch((error) => {
        if (error !== FAILED) throw error;
        return here(name, parts);
      });
    },
    /** Give a bitmap away to the worker. @param {ImageBitmap} bitmap @param {number} width @param {number} height */
    open(bitmap, width, height) {
      return worker ? remote.open(transfer(bitmap, [bitmap]), width, height) : here("open", [bitmap, width, height]);
    },
    close: fail,
  };
}

/** @returns {Worker | null} */
function start() {
  try {
    return new Worker(WORKER, { type: "module" });
  } catch {
    return null;
  }
}

/** Reject when a worker can't be loaded. @param {Worker} worker @returns {Promise<never>} */
function failed(worker) {
  return new Promise((_, reject) => worker.addEventListener("error", () => reject(FAILED), { once: true }));
}
