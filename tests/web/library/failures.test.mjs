// Every error of the reference, in the words of people who sell shoes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

globalThis.addEventListener ??= () => {};
const { errorFacts, errorSolution, moreTexts, errorTitle } = await import("../../../web/library/failures.js");
const { addMessages, has, language } = await import("../../../web/app/i18n/index.js");
const { facts } = await import("../../../web/app/api.js");
await moreTexts();
addMessages("de", (await import("../../../web/app/i18n/de.js")).de);
facts.value = { limits: { bytes: 16 * 1024 ** 2, pixels: 25e6, side: 16 } };

const reference = readFileSync(new URL("../../../docs/reference/errors.md", import.meta.url), "utf8");
const listed = [...reference.matchAll(/^\| \d+ \| `(\w+)` \| (.+?) \| (.+?) \|$/gm)].map(([, code, text, solution]) => ({ code, text, solution }));
// What the page finds out by itself, and what a proxy in front of the server answers.
const OWN = ["unreadable_file", "photo_gone", "unreachable", "http_413", "http_415", "http_429", "http_502", "http_503", "http_504"];
// Only programs, accounts and administrators can cause these; a photo of the page can't.
const OTHERS = new Set([
  "bad_base64", "bad_json", "bad_parameter", "bad_request", "bad_url", "multiple_images", "forbidden_path", "forbidden_source", "bad_signature",
  "not_found", "method_not_allowed", "client_gone", "source_failed", "source_timeout", "idempotency_key_reused",
  "bad_password", "bad_token", "token_reused", "provider_refused", "provider_unavailable", "sign_in_failed", "registration_closed",
  "key_not_found", "key_name_taken", "last_administrator", "too_many_keys", "user_exists", "too_many_invitations", "invitation_not_found",
  "item_not_cancellable", "job_not_cancellable", "job_not_finished", "job_not_retryable",
]);
const JARGON = /Retry-After|GET |POST |HTTP|JSON|header|multipart|request id|endpoint|decode|Anfragekopf|\{|undefined|null/;

test("every error that a photo can get has words of its own", () => {
  assert.ok(listed.length > 60);
  for (const { code } of listed) assert.notEqual(has(`error_${code}`) && has(`solution_${code}`), OTHERS.has(code), code);
});

for (const name of ["en", "de"]) {
  test(`errors are in plain words: ${name}`, () => {
    language.value = name;
    for (const { code, text, solution } of [...listed, ...OWN.map((code) => ({ code, text: "Bad Gateway", solution: "GET /health" }))]) {
      const error = { code, text, solution, details: "UnidentifiedImageError", retryable: true };
      for (const shown of [errorTitle(error), errorSolution(error)]) {
        assert.ok(shown.length > 8 && shown.length < 130, `${code}: ${shown}`);
        assert.doesNotMatch(shown, JARGON, code);
        assert.ok(!shown.includes("Unidentified"), code);
      }
      assert.match(errorSolution(error), /\.$/, code);
      assert.doesNotMatch(errorTitle(error), /\.$/, code);
    }
    language.value = "en";
  });
}

test("limits are named as people know them", () => {
  assert.equal(errorTitle({ code: "http_413" }), "The file is too large: 16\u00a0MB at most");
  assert.equal(errorTitle({ code: "too_many_pixels" }), "The photo has too many pixels: 25\u00a0MP at most");
});

test("an error without a code is unexpected, and its text stands in the details", () => {
  assert.equal(errorTitle(new TypeError("x is undefined")), "Something went wrong");
  assert.equal(errorFacts({ code: "unexpected", text: "TypeError: x", details: "" }), "TypeError: x (unexpected)");
  assert.equal(errorFacts({ code: "empty_image", text: "", details: "" }), "");
});

test("a full quota says when it is free again, where that is known", () => {
  language.value = "en";
  assert.equal(errorSolution({ code: "rate_limited", retryAfter: 3540 }), "Retry in 59 minutes.");
  assert.equal(errorSolution({ code: "rate_limited" }), "Wait a while, then retry.");
  language.value = "de";
  assert.equal(errorSolution({ code: "http_429", retryAfter: 3600 }), "Versuchen Sie es in 1 Stunde noch einmal.");
});
