// The vendored libraries are the registry's packages, byte for byte.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const manifest = JSON.parse(readFileSync(new URL("../../web/vendor/manifest.json", import.meta.url), "utf8"));

for (const { name, version, files } of manifest) {
  test(`${name} ${version} is as published`, (context) => {
    if (!process.env.CHECK_REGISTRY) return context.skip("set CHECK_REGISTRY=1 to ask the registry");
    const folder = mkdtempSync(join(tmpdir(), "vendor-"));
    try {
      const [{ filename }] = JSON.parse(execFileSync("npm", ["pack", "--json", `${name}@${version}`], { cwd: folder, stdio: ["ignore", "pipe", "ignore"] }));
      execFileSync("tar", ["-xzf", filename], { cwd: folder });
      for (const { source, sha256 } of files) {
        assert.equal(createHash("sha256").update(readFileSync(join(folder, "package", source))).digest("hex"), sha256, source);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
