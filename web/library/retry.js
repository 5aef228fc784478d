// Retries a photo that failed or was cancelled, or whose bytes are here again.
import { isGone, request } from "../app/api.js";
import { dispatch, patch, peek, photos } from "../app/store.js";
import { itemUrl, photoOf } from "../app/photos.js";
import { TAB } from "../app/tabs.js";
import { eraseQuietly, itemPath } from "./deletion.js";
import { identity } from "./intake.js";
import { docError, GONE } from "./pace.js";
import { keepWaiting, pump } from "./sender.js";
import { watchJobs } from "./watcher.js";

const CONFLICT = 409;

/** Try it on the server where its job is, otherwise from here. @param {string} id */
export async function retry(id) {
  const doc = peek(id);
  if (!doc) return;
  let { job } = doc;
  if (job && doc.state === "failed") {
    try {
      await request(itemUrl(job, "retry"), { method: "POST" });
      dispatch(id, { type: "requeue" });
      return watchJobs();
    } catch (error) {
      // Only a job that is gone, or that refuses for good, is replaced by another.
      if (isGone(error)) job = undefined;
      else if (/** @type {{status?: number}} */ (error).status !== CONFLICT) return patch(id, { error: docError(error) });
    }
  }
  try {
    await photoOf(id);
  } catch (error) {
    return patch(id, { state: "failed", error: isGone(error) ? GONE : docError(error) });
  }
  patch(id, { tab: TAB });
  dispatch(id, { type: "retry" });
  pump();
  // The photo goes with another job: the previous one keeps no copy.
  if (job) await eraseQuietly([itemPath(job)]);
}

/** Go on with lost photos whose bytes are here again. Returns the others. @param {import("./intake.js").Photo[]} taken @param {Map<string, import("../app/store.js").Doc>} lost by what identifies them */
export function bringBack(taken, lost) {
  return taken.filter((photo) => {
    const doc = lost.get(identity(photo, photo.blob.size));
    if (!doc) return true;
    photos.set(doc.id, photo.blob);
    patch(doc.id, { tab: TAB });
    dispatch(doc.id, { type: "retry" });
    keepWaiting([doc.id]);
    return false;
  });
}
