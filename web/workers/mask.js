/** The editor's worker: what takes longer than a frame. */
import { expose } from "../vendor/comlink/comlink.js";
import { work } from "../editor/core/work.js";

expose(work);
