/** Runs long work in a worker; here where the browser starts none. */

/** @typedef {typeof import("./core/work.js").work} Functions */
/** @typedef {{name: string, parts: any[], resolve: (value: any) => void, reject: (error: unknown) => void}} Call */

const WORKER = new URL("../workers/mask.js", import.meta.url);

/** Start a worker. `run(name, ...arguments)` calls one of its functions. */
export function startWork() {
  let worker = start();
  /** Calls without an answer, by their numbers. @type {Map<number, Call>} */
  const waiting = new Map();
  let number = 0;
  const close = () => {
    worker?.terminate();
    worker = null;
    // What still waits for an answer would be held in memory.
    waiting.clear();
  };
  worker?.addEventListener("message", ({ data }) => {
    const call = waiting.get(data.number);
    waiting.delete(data.number);
    if ("error" in data) call?.reject(data.error);
    else call?.resolve(data.value);
  });
  // It can't be loaded.
  worker?.addEventListener("error", () => {
    const calls = [...waiting.values()];
    close();
    for (const { name, parts, resolve } of calls) resolve(here(name, parts));
  });
  /** @param {string} name @param {any[]} parts @param {Transferable[]} [given] @returns {Promise<any>} */
  const call = (name, parts, given = []) => {
    if (!worker) return here(name, parts);
    const to = worker;
    return new Promise((resolve, reject) => {
      number += 1;
      waiting.set(number, { name, parts, resolve, reject });
      to.postMessage({ number, name, parts }, given);
    });
  };
  return {
    /** @template {keyof Functions} Name @param {Name} name @param {Parameters<Functions[Name]>} parts
     * @returns {Promise<Awaited<ReturnType<Functions[Name]>>>} */
    run: (name, ...parts) => call(name, parts),
    /** Give a bitmap away to the worker. @param {ImageBitmap} bitmap @param {number} width @param {number} height */
    open: (bitmap, width, height) => call("open", [bitmap, width, height], [bitmap]),
    close,
  };
}

/** @param {string} name @param {any[]} parts */
async function here(name, parts) {
  const { work } = await import("./core/work.js");
  return /** @type {any} */ (work)[name](...parts);
}

/** @returns {Worker | null} */
function start() {
  try {
    return new Worker(WORKER, { type: "module" });
  } catch {
    return null;
  }
}
