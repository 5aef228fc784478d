/** Runs long work in a worker; here where the browser starts none. */
import { transfer, wrap } from "../vendor/comlink/comlink.js";

/** @typedef {ReturnType<typeof startWork>} Work */
/** @typedef {typeof import("./core/work.js").work} Functions */

const WORKER = new URL("../workers/mask.js", import.meta.url);

/** The same functions on this page; loaded where no worker has them. @returns {Promise<any>} */
async function onPage() {
  return (await import("./core/work.js")).work;
}

/** Start a worker. `run(name, ...arguments)` calls one of its functions. */
export function startWork() {
  /** @type {Worker | null} */
  let worker = null;
  /** @type {any} */
  let remote = null;
  const here = () => {
    worker?.terminate();
    worker = null;
  };
  try {
    worker = new Worker(WORKER, { type: "module" });
    remote = wrap(worker);
    worker.addEventListener("error", here);
  } catch {
    here();
  }
  return {
    /** @template {keyof Functions} Name @param {Name} name @param {Parameters<Functions[Name]>} parts
     * @returns {Promise<Awaited<ReturnType<Functions[Name]>>>} */
    async run(name, ...parts) {
      const used = worker;
      if (!used) return (await onPage())[name](...parts);
      return Promise.race([remote[name](...parts), failed(used)]).catch(async (error) => {
        if (worker === used && error !== FAILED) throw error;
        return (await onPage())[name](...parts);
      });
    },
    /** Give a bitmap away to the worker. @param {ImageBitmap} bitmap @param {number} width @param {number} height */
    async open(bitmap, width, height) {
      return worker ? remote.open(transfer(bitmap, [bitmap]), width, height) : (await onPage()).open(bitmap, width, height);
    },
    close: () => worker?.terminate(),
  };
}

const FAILED = new Error("no worker");

/** Reject when a worker can't be loaded. @param {Worker} worker @returns {Promise<never>} */
function failed(worker) {
  return new Promise((_, reject) => worker.addEventListener("error", () => reject(FAILED), { once: true }));
}
