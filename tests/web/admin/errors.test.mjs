// Every error that an administrator can meet on /admin, in plain words.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

globalThis.addEventListener ??= () => {};
const { errorSolution, moreTexts, errorTitle } = await import("../../../web/library/failures.js");
const { addMessages, language } = await import("../../../web/app/i18n/index.js");
const { facts } = await import("../../../web/app/api.js");
addMessages("de", (await import("../../../web/app/i18n/de.js")).de);
await moreTexts();
addMessages("en", (await import("../../../web/admin/errors/en.js")).en);
addMessages("de", (await import("../../../web/admin/errors/de.js")).de);
facts.value = { limits: { bytes: 16 * 1024 ** 2, pixels: 25e6, side: 16 } };

const reference = readFileSync(new URL("../../../docs/reference/errors.md", import.meta.url), "utf8");
const codes = [...reference.matchAll(/^\| \d+ \| `(\w+)` \|/gm)].map(([, code]) => code);
// What the page asks for, and jobs, can't end so.
const ELSEWHERE = new Set([
  "bad_base64", "bad_json", "bad_parameter", "bad_request", "bad_url", "multiple_images", "forbidden_path", "forbidden_source", "bad_signature",
  "not_found", "method_not_allowed", "client_gone", "source_failed", "source_timeout", "idempotency_key_reused",
  "bad_password", "bad_token", "token_reused", "provider_refused", "provider_unavailable", "sign_in_failed", "last_administrator", "too_many_keys",
  "item_not_cancellable", "job_not_cancellable", "job_not_finished",
]);

for (const name of ["en", "de"]) {
  test(`every error has words of its own: ${name}`, () => {
    language.value = name;
    const unexpected = errorTitle({ code: "unexpected" });
    for (const code of [...codes, "unreachable"]) {
      assert.equal(errorTitle({ code }) === unexpected, ELSEWHERE.has(code), code);
      for (const shown of [`${errorTitle({ code })}.`, errorSolution({ code })]) assert.match(shown, /^[A-ZÄÖÜ][^{}]{8,130}[.]$/, code);
    }
    language.value = "en";
  });
}

test("an administrator learns what to do, and not that photos wait", () => {
  for (const code of ["database_unavailable", "queue_unavailable", "storage_unavailable", "rate_limited", "unreachable", "unexpected"]) {
    assert.doesNotMatch(`${errorTitle({ code })} ${errorSolution({ code })}`, /photo|operator/i, code);
  }
});
