// Errors in plain words: by their code where the page knows it, otherwise as the server says them.
import { has, speaker, t } from "../app/i18n/index.js";
import { facts } from "../app/facts.js";

/** @typedef {import("../app/store.js").DocError} DocError */

function values() {
  const limits = facts.value?.limits;
  const say = speaker();
  return limits ? { bytes: say.bytes(limits.bytes), pixels: say.pixels(limits.pixels), side: limits.side } : { bytes: "", pixels: "", side: 0 };
}

/** What went wrong. @param {{code: string, text: string}} error */
export function errorTitle({ code, text }) {
  return has(`error_${code}`) ? t(`error_${code}`, values()) : text || t("error_unexpected");
}

/** What to do. @param {{code: string, solution: string}} error */
export function errorSolution({ code, solution }) {
  return has(`solution_${code}`) ? t(`solution_${code}`, values()) : solution;
}
