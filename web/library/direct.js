// Photos without a job: the model's matte from `/matte`. Loaded with the first of them.
import { facts as serverFacts } from "../app/api.js";
import { all, dispatch, peek } from "../app/store.js";
import * as model from "../app/model.js";
import { matteOf } from "../app/photos.js";
import { TAB } from "../app/tabs.js";
import { docError, passes, passPause, queueLost, waitFor } from "./pace.js";

/** @type {Map<string, AbortController>} */
const running = new Map();

/** Whether the photo goes without a job. @param {import("../app/store.js").Doc} doc */
function isDirect(doc) {
  return Boolean(doc.direct) || !serverFacts.peek()?.jobs || queueLost.peek();
}

/** Work on as many photos at a time as the server says. @param {() => void} done called after each */
export function pumpDirect(done) {
  const most = serverFacts.peek()?.concurrency ?? 1;
  const waiting = all().filter((doc) => doc.state === "added" && doc.tab === TAB && isDirect(doc) && !running.has(doc.id));
  for (const doc of waiting) {
    if (running.size >= most) return;
    const abort = new AbortController();
    running.set(doc.id, abort);
    work(doc.id, abort.signal).finally(() => { running.delete(doc.id); done(); });
  }
}

/** Stop a photo. @param {string} id */
export function stopDirect(id) {
  running.get(id)?.abort();
}

/** @param {string} id @param {AbortSignal} signal */
async function work(id, signal) {
  for (let tries = 0; ; tries += 1) {
    try {
      await passPause(signal);
      if (!peek(id)) return;
      dispatch(id, { type: "start", stage: "segment" });
      const matte = await matteOf(id, { signal, model });
      const found = model.facts.get(id);
      const { width, height } = await pngSize(matte);
      dispatch(id, { type: "finish", result: { width, height, bytes: 0, format: "png", model: peek(id)?.options.model ?? serverFacts.peek()?.default_model ?? "", ...found } });
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!passes(error)) {
        dispatch(id, { type: "fail", error: docError(error) });
        return;
      }
      dispatch(id, { type: "queue" });
      await waitFor(error, tries, signal).catch(() => undefined);
    }
  }
}

/** The size in the header of a PNG. @param {Blob} png */
async function pngSize(png) {
  const head = new DataView(await png.slice(0, 24).arrayBuffer());
  return { width: head.getUint32(16), height: head.getUint32(20) };
}
