// Names in archives, archives read back, times, addresses.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { routeOf, hrefOf } from "../../../web/app/router.js";
import { entriesOf, openEntry, unzip } from "../../../web/app/unzip.js";
import { downloadZip } from "../../../web/vendor/client-zip/client-zip.js";

globalThis.addEventListener ??= () => {};
const { stems } = await import("../../../web/library/names.js");
const { etaOf } = await import("../../../web/library/pace.js");

test("names keep their folders, and each is there once", () => {
  const docs = [["shop/", "a.jpg"], ["shop/", "a.png"], ["", "A.jpg"], ["", "a.webp"], ["", ".jpg"]].map(([path, name]) => ({ path, name }));
  assert.deepEqual(stems(docs), ["shop/a", "shop/a (2)", "A", "a (2)", "photo"]);
});

test("the time left follows the last photos", () => {
  assert.equal(etaOf([0], 5, 0), undefined);
  assert.equal(etaOf([0, 2000, 4000], 10, 4000), 20);
  // Nothing ended for a while: it takes longer.
  assert.equal(etaOf([0, 2000], 10, 6000), 60);
  assert.equal(etaOf([0, 2000], 0, 2000), undefined);
});

test("addresses name the view", () => {
  assert.deepEqual(routeOf("#/edit/a%2Fb"), { name: "edit", id: "a/b" });
  for (const other of ["", "#/", "#/edit/", "#/x"]) assert.deepEqual(routeOf(other), { name: "library" });
  assert.equal(routeOf(hrefOf({ name: "edit", id: "ü 1" })).id, "ü 1");
});

test("archives of other programs are read, deflated or stored", async () => {
  const script = `
import io, sys, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, "w") as archive:
    archive.writestr("stored.png", b"s" * 300)
    archive.writestr(zipfile.ZipInfo("deep/ü.jpg"), b"d" * 5000, zipfile.ZIP_DEFLATED)
    archive.comment = b"a comment"
sys.stdout.buffer.write(out.getvalue())`;
  const archive = new Blob([execFileSync("python3", ["-c", script])]);
  const files = await unzip(archive);
  assert.deepEqual([...files.keys()], ["stored.png", "deep/ü.jpg"]);
  assert.equal(await files.get("deep/ü.jpg").text(), "d".repeat(5000));
  assert.equal(files.get("stored.png").type, "image/png");
});

test("an archive of our own is read back", async () => {
  const archive = await downloadZip([{ name: "a.png", input: new Blob(["abc"]) }]).blob();
  assert.equal(await (await unzip(archive)).get("a.png").text(), "abc");
});

test("an entry larger than announced is refused", async () => {
  const script = `
import io, sys, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("a.jpg", b"x" * 5000)
sys.stdout.buffer.write(out.getvalue())`;
  const archive = new Blob([execFileSync("python3", ["-c", script])]);
  const [entry] = await entriesOf(archive);
  await assert.rejects(openEntry(archive, { ...entry, size: 100 }), /damaged/);
  await assert.rejects(entriesOf(new Blob(["no archive at all, but long enough"])), /no ZIP/);
});
