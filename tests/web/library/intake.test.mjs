// What files are: their kind and size by their first bytes, their limits, their places in folders.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { dropped } from "../../../web/library/drop.js";
import { examine, filesIn, sniff } from "../../../web/library/intake.js";

const FACTS = { limits: { bytes: 5000, pixels: 1_000_000, side: 16 } };
const bytes = (...parts) => Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part, "latin1")] : part)));
const be16 = (value) => [value >> 8, value & 255];
const be32 = (value) => [...be16(value >>> 16), ...be16(value & 0xffff)];
const le16 = (value) => [value & 255, value >> 8];
const png = (width, height, size = 40) => { const made = new Uint8Array(size); made.set(bytes("\x89PNG\r\n\x1a\n", be32(13), "IHDR", be32(width), be32(height))); return made; };
const jpeg = (width, height) => bytes([0xff, 0xd8, 0xff, 0xe1], be16(12), "Exif\0\0####", [0xff, 0xc2], be16(11), [8], be16(height), be16(width), [1, 1, 17, 0, 0, 0, 0]);
const file = (content, name, more = {}) => new File([content], name, { lastModified: 7, ...more });

test("kind and size stand in the first bytes", () => {
  const cases = [
    [png(300, 200), { kind: "png", width: 300, height: 200 }],
    [jpeg(4000, 3000), { kind: "jpeg", width: 4000, height: 3000 }],
    [bytes("GIF89a", le16(20), le16(30), [0, 0]), { kind: "gif", width: 20, height: 30 }],
    [bytes("RIFF\0\0\0\0WEBPVP8X", [10, 0, 0, 0, 0, 0, 0, 0], [99, 0, 0], [49, 0, 0]), { kind: "webp", width: 100, height: 50 }],
    [bytes([0, 0, 0, 24], "ftypheic", [0, 0, 0, 0], "mif1heic"), { kind: "heic" }],
    [bytes([0, 0, 0, 24], "ftypavif", [0, 0, 0, 0], "avifmif1"), { kind: "avif" }],
    [bytes("PK\x03\x04", be32(0), be32(0)), { kind: "zip" }],
    [bytes("II*\0", be32(0), be32(0)), { kind: "tiff" }],
    [bytes("just some words in a file"), { kind: "other" }],
    [bytes(), { kind: "empty" }],
  ];
  for (const [content, wanted] of cases) assert.deepEqual(sniff(content.buffer), wanted);
});

test("a file cut short is no crash", () => {
  for (const whole of [png(3, 3), jpeg(4, 4)]) for (let size = 0; size < whole.length; size += 1) sniff(whole.slice(0, size).buffer);
});

test("what the server would refuse is known before it is sent", async () => {
  const found = [
    file(png(100, 100), "good.png"), file(png(100, 100, 6000), "large.png"), file(png(2000, 2000), "wide.png"), file(png(8, 100), "thin.png"),
    file("", "empty.jpg"), file("no photo at all, only its name", "words.jpg"), file("some notes of this photo", "notes.txt"),
  ].map((one) => ({ file: one, path: "" }));
  const { photos, others } = await examine(found, FACTS, new Set());
  assert.deepEqual(photos.map((photo) => photo.error?.code), [undefined, "upload_too_large", "too_many_pixels", "image_too_small", "empty_image", "unsupported_format"]);
  assert.deepEqual(others, ["notes.txt"]);
});

test("a photo that is here already is not taken twice", async () => {
  const known = new Set();
  const one = { file: file(png(100, 100), "a.png"), path: "x/" };
  assert.equal((await examine([one], FACTS, known)).photos.length, 1);
  const again = await examine([one, { ...one, path: "y/" }], FACTS, known);
  assert.deepEqual([again.photos.length, again.twice], [1, 1]);
});

test("hidden files of folders are left out", async () => {
  const picked = await filesIn([
    Object.defineProperty(file(png(100, 100), "a.png"), "webkitRelativePath", { value: "shop/shoes/a.png" }),
    Object.defineProperty(file("x", ".DS_Store"), "webkitRelativePath", { value: "shop/.DS_Store" }),
    Object.defineProperty(file(png(100, 100), "b.png"), "webkitRelativePath", { value: "shop/.cache/b.png" }),
  ]);
  const { photos, others } = await examine(picked, FACTS, new Set());
  assert.deepEqual(photos.map(({ path, name }) => path + name), ["shop/shoes/a.png"]);
  assert.deepEqual(others, []);
});

/** A folder as browsers give it: some entries at a time. */
const folder = (name, children) => ({
  name, isFile: false, isDirectory: true,
  createReader() {
    let at = 0;
    return { readEntries: (done) => { done(children.slice(at, at + 100)); at += 100; } };
  },
});
const entry = (name) => ({ name, isFile: true, file: (done) => done(file("x", name)) });

test("folders with more than a hundred entries are read to their end", async () => {
  const tree = folder("all", [folder("deep", [folder("er", Array.from({ length: 1500 }, (_, n) => entry(`${n}.jpg`)))]), ...Array.from({ length: 500 }, (_, n) => entry(`${n}.jpg`))]);
  const found = await filesIn(dropped({ items: [{ kind: "file", webkitGetAsEntry: () => tree }], files: [file("", "all")] }));
  assert.equal(found.length, 2000);
  assert.equal(found.filter((one) => one.path === "all/deep/er/").length, 1500);
});

test("photos of folders are in the order of their names", async () => {
  const names = async (children) => (await filesIn([folder("shop", children)])).map(({ path, file: { name } }) => path + name);
  assert.deepEqual(await names([entry("10.jpg"), folder("bags", [entry("b.jpg"), entry("a.jpg")]), entry("9.jpg")]), ["shop/9.jpg", "shop/10.jpg", "shop/bags/a.jpg", "shop/bags/b.jpg"]);
  // What a person has put in order stays as it is.
  const photos = [file("x", "b.jpg"), file("x", "a.jpg")];
  assert.deepEqual((await filesIn(photos)).map((one) => one.file.name), ["b.jpg", "a.jpg"]);
});

test("files are taken as they are where the browser has no entries", async () => {
  const photo = file("x", "a.jpg");
  for (const items of [[], [{ kind: "file" }], [{ kind: "file", webkitGetAsEntry: () => null }]]) {
    assert.deepEqual(await filesIn(dropped({ items, files: [photo] })), [{ file: photo, path: "" }]);
  }
});

test("a damaged photo keeps the others of its archive", async () => {
  const script = `
import io, sys, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
    for name in ("a.gif", "b.gif"):
        archive.writestr(name, b"GIF89a" + bytes([50, 0, 50, 0]) + bytes(range(256)) * 4)
whole = bytearray(out.getvalue())
at = whole.index(b"a.gif") + 5
whole[at:at + 40] = b"\\xff" * 40
sys.stdout.buffer.write(whole)`;
  const archive = file(execFileSync("python3", ["-c", script]), "photos.zip");
  const { photos } = await examine(await filesIn([archive]), FACTS, new Set());
  assert.deepEqual(photos.map(({ name, error }) => [name, error?.code]), [["a.gif", "bad_entry"], ["b.gif", undefined]]);
});

test("an archive without photos is named among the files that are none", async () => {
  const script = `
import io, sys, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, "w") as archive:
    archive.writestr("word/document.xml", b"<w/>")
sys.stdout.buffer.write(out.getvalue())`;
  const letter = file(execFileSync("python3", ["-c", script]), "letter.docx");
  assert.deepEqual((await examine(await filesIn([letter]), FACTS, new Set())).others, ["letter.docx"]);
});
