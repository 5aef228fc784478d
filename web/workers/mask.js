/** The editor's worker: what takes longer than a frame. */
import { work } from "../editor/core/work.js";

addEventListener("message", async ({ data: { number, name, parts } }) => {
  try {
    const run = /** @type {{[name: string]: (...parts: any[]) => unknown}} */ (work)[name];
    postMessage({ number, value: await run(...parts) });
  } catch (error) {
    postMessage({ number, error });
  }
});
