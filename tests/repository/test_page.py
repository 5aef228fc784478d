"""The page's files: their sizes, what is loaded first, texts in every language, vendored libraries as published."""

import gzip
import hashlib
import itertools
import json
import re
from pathlib import Path

import pytest

from routes.page import VENDORED, without_comments
from tests.support.waiting import ROOT

WEB = ROOT / "web"
# Files that other files do not import: the entries of workers, and of the views that are loaded when they are opened.
LIBRARY_ENTRIES = ("app/main.js", "library/batch.js", "library/actions.js", "workers/thumb.js")
# What some visits need besides.
JOBS_ENTRIES = ("app/sse.js",)
SOMETIMES = (
    *("library/failed.js", "library/download.js", "library/keys.js", "library/archive.js", "app/i18n/de.js"),
    *("library/direct.js", "library/folders.js", "library/failures.js", "library/preset_note.js", "library/recover.js"),
    *("app/model.js", "app/memory.js", "app/i18n/pseudo.js"),
    *(
        "library/results.js",
        "library/remake.js",
        "library/notices.js",
        "library/removal.js",
        "library/delete.js",
        "app/storage.js",
        "library/i18n/en.js",
        "library/i18n/de.js",
    ),
)
# What shows a photo on the stage; then what a person paints with; the rest follows while nothing else happens.
EDITOR_ENTRIES = ("editor/editor.js", "editor/i18n/en.js")
BRUSH_ENTRIES = ("editor/session.js", "editor/views.js", "editor/overlay.js", "workers/mask.js")
AFTER_BRUSH = (
    *("editor/keys.js", "editor/panels.js", "editor/core/search.js", "library/failures.js", "app/model.js"),
    *("editor/export.js", "editor/notices.js", "editor/filmstrip.js", "editor/keep.js", "editor/shapes.js"),
    *("editor/save.js", "editor/later_icons.js", "editor/i18n/panels_en.js", "editor/i18n/notices_en.js"),
    # Only options, earlier edits and other kinds of masks need these at once.
    *("editor/gl/layout.js", "editor/gl/ground.js", "editor/core/inflate.js", "editor/core/png_levels.js"),
    *("editor/tools/smart.js", "editor/tools/wand.js", "editor/tools/outline.js", "editor/tools/object.js"),
    *("editor/gl/shadow.js", "editor/gl/blurred.js", "editor/gl/colours.js", "editor/gl/canvas2d.js"),
)
ADMIN_ENTRY = "admin/main.js"
KB = 1000
PARTS = ("app", "library", "editor", "account", "admin")


def imports(path: Path) -> list[Path]:
    """Return the modules that a module names in its imports, minified or not."""
    text = path.read_text(encoding="utf-8")
    code = re.sub(r"^\s*//[^\n]*$", "", re.sub(r"/\*.*?\*/", "", text, flags=re.S), flags=re.M)
    named = re.findall(r'(?:from|import)\s*"(\.[^"]+)"', code)
    return [(path.parent / name).resolve() for name in named]


def graph(*entries: str) -> set[Path]:
    """Return the modules that are loaded with these, without those that are imported later."""
    found: set[Path] = set()
    waiting = [(WEB / entry).resolve() for entry in entries]
    while waiting:
        path = waiting.pop()
        if path not in found:
            assert path.is_file(), path
            found.add(path)
            waiting += imports(path)
    return found


def gzipped(paths: set[Path]) -> int:
    """Return the bytes that a browser loads for these files."""
    return sum(len(gzip.compress(served(path), 9)) for path in paths)


def served(path: Path) -> bytes:
    is_ours = path.suffix == ".js" and not path.is_relative_to(WEB / VENDORED)
    return without_comments(path.read_bytes()) if is_ours else path.read_bytes()


def test_first_view_needs_21_kb_of_javascript() -> None:
    assert gzipped(graph("app/main.js")) <= 21 * KB


def test_page_with_photos_needs_40_kb_of_javascript() -> None:
    assert gzipped(graph(*LIBRARY_ENTRIES)) <= 40 * KB


def test_jobs_add_1_kb_of_javascript() -> None:
    assert gzipped(graph(*JOBS_ENTRIES) - graph(*LIBRARY_ENTRIES)) <= 1 * KB


def test_editor_shows_a_photo_with_26_7_kb_more_of_javascript() -> None:
    assert gzipped(graph(*EDITOR_ENTRIES) - graph(*LIBRARY_ENTRIES)) <= 26.7 * KB


def test_brush_adds_18_4_kb_of_javascript() -> None:
    """With undo, comparing, and the worker's first part."""
    assert gzipped(graph(*BRUSH_ENTRIES) - graph(*LIBRARY_ENTRIES, *EDITOR_ENTRIES)) <= 18.4 * KB


def test_brush_of_the_editor_paints_after_45_kb_more_of_javascript() -> None:
    assert gzipped(graph(*EDITOR_ENTRIES, *BRUSH_ENTRIES) - graph(*LIBRARY_ENTRIES)) <= 45 * KB


def test_all_of_the_editor_has_103_kb_of_javascript() -> None:
    """With what follows the brush. German texts and what the library loads are not counted."""
    folders = [*(WEB / "editor").rglob("*.js"), *(WEB / "workers").rglob("*.js")]
    rest = {str(path.relative_to(WEB)) for path in folders if not path.stem.endswith("de")}
    assert gzipped(graph(*rest, *EDITOR_ENTRIES, *BRUSH_ENTRIES) - graph(*LIBRARY_ENTRIES)) <= 103 * KB


def test_what_follows_the_brush_is_not_loaded_with_it() -> None:
    brush = graph(*EDITOR_ENTRIES, *BRUSH_ENTRIES)
    assert [name for name in AFTER_BRUSH if WEB / name in brush] == []


def test_what_few_visits_need_is_not_loaded_with_the_page() -> None:
    page = graph(*LIBRARY_ENTRIES)
    assert [name for name in (*SOMETIMES, *JOBS_ENTRIES) if WEB / name in page] == []


def test_administrators_page_needs_30_kb_of_javascript_and_4_kb_of_styles() -> None:
    assert gzipped(graph(ADMIN_ENTRY)) <= 30 * KB
    assert gzipped({WEB / "admin/admin.css"}) <= 4 * KB


def test_styles_have_12_kb() -> None:
    styles = {path for path in WEB.rglob("*.css") if path.name not in ("reference.css", "admin.css")}
    assert gzipped(styles) <= 12 * KB


def test_page_preloads_exactly_what_its_entry_imports() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")
    preloaded = re.findall(r'rel="modulepreload" href="/static/\{build\}/([^"]+)"', page)
    assert preloaded == sorted(str(path.relative_to(WEB)) for path in graph("app/main.js")), (
        "python -m tests.repository.test_page"
    )


def texts_of_templates(code: str) -> list[str]:
    """Return what lit templates hold besides expressions, each as HTML."""
    found: list[str] = []
    at = 0
    while (start := code.find("html`", at)) != -1:
        text, at = template(code, start + len("html`"), found)
        found.append(text)
    return found


def template(code: str, at: int, found: list[str]) -> tuple[str, int]:
    """Read a template up to its end, those in its expressions as well; return its text and where it ends."""
    text = ""
    while code[at] != "`":
        if code.startswith("${", at):
            at = expression(code, at + 2, found)
            text += "\0"
        else:
            text += code[at]
            at += 1
    return text, at + 1


def expression(code: str, at: int, found: list[str]) -> int:
    """Return where an expression ends."""
    depth = 1
    while depth:
        if code.startswith("html`", at) or code[at] == "`":
            is_html = code[at] == "h"
            text, at = template(code, at + (len("html`") if is_html else 1), found)
            found += [text] if is_html else []
            continue
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        at += 1
    return at


def test_templates_hold_no_text() -> None:
    """A person's language is in `i18n`: between the tags of templates are only expressions."""
    for path in [path for part in PARTS for path in WEB.glob(f"{part}/*.js")]:
        for html in texts_of_templates(path.read_text(encoding="utf-8")):
            text = re.sub(r"<[^>]*>", "", html)
            assert not re.search(r"[A-Za-z]{2,}", text), (path.name, text)
            assert not re.search(r'(aria-label|title|placeholder|alt)="[^"\0]*[A-Za-z]', html), (path.name, html)
            # The page's policy forbids it.
            assert " style=" not in html, (path.name, html)


def keys(path: Path) -> set[str]:
    return set(re.findall(r"^  (\w+):", path.read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize(
    "folder", ["app/i18n", "library/i18n", "editor/i18n", "admin/i18n", "admin/errors", "account/i18n"]
)
def test_languages_have_the_same_texts(folder: str) -> None:
    english, german = (sorted(itertools.chain(*map(keys, WEB.glob(f"{folder}/*{name}.js")))) for name in ("en", "de"))
    # Each stands in one catalogue.
    assert len(english) == len(set(english))
    assert english == german
    assert english


def test_texts_that_the_library_asks_for_exist() -> None:
    asked = set()
    for path in [*WEB.glob("app/*.js"), *WEB.glob("library/*.js")]:
        asked |= set(re.findall(r'\bt\("(\w+)"', path.read_text(encoding="utf-8")))
    own, common = keys(WEB / "library/i18n/en.js"), keys(WEB / "app/i18n/en.js")
    assert asked - own - common == set()
    # German texts of the page's own catalogue come later and would win.
    assert own & common == set()


def test_texts_that_a_part_of_the_editor_asks_for_are_loaded_with_it() -> None:
    """Besides those that are there with the brush."""
    brush = graph(*EDITOR_ENTRIES, *BRUSH_ENTRIES, "app/main.js")
    parts = [brush]
    for path in (WEB / "editor").rglob("*.js"):
        for name in re.findall(r'import\("(\.[^"]+)"\)', served(path).decode()):
            parts.append(graph(str((path.parent / name).resolve().relative_to(WEB))))
    for part in parts:
        code = "".join(served(path).decode() for path in part if path.is_relative_to(WEB / "editor"))
        asked = set(re.findall(r'\b(?:t\(|label: |percent\(|range\(|check\()"(\w+)"', code))
        assert asked - {key for path in part | brush for key in keys(path)} == set()


def test_texts_of_the_administrators_page_exist_once() -> None:
    asked = {
        key for path in WEB.glob("admin/*.js") for key in re.findall(r'\bt\("(\w+)"', path.read_text(encoding="utf-8"))
    }
    own, common = keys(WEB / "admin/i18n/en.js"), keys(WEB / "app/i18n/en.js")
    assert asked - own - common == set()
    # German texts of the page's own catalogue come later and would win.
    assert own & common == set()


def test_texts_that_the_account_asks_for_exist() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in WEB.glob("account/*.js"))
    asked = set(re.findall(r'\bt\("(\w+)"', code)) | set(re.findall(r'label: "(\w+)"', code))
    assert asked - keys(WEB / "app/i18n/en.js") - keys(WEB / "account/i18n/en.js") == set()


def test_account_needs_18_kb_of_javascript() -> None:
    assert gzipped(graph("account/main.js")) <= 18 * KB


def test_vendored_files_are_those_of_the_manifest() -> None:
    manifest = json.loads((WEB / "vendor/manifest.json").read_text(encoding="utf-8"))
    listed = {WEB / "vendor" / file["path"]: file["sha256"] for package in manifest for file in package["files"]}
    for path, digest in listed.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest, path
    # Descriptions of types are ours.
    there = {path for path in (WEB / "vendor").rglob("*") if path.is_file() and not path.name.endswith(".d.ts")}
    assert there - {WEB / "vendor/manifest.json"} == set(listed)


def test_page_names_no_other_host() -> None:
    for path in [
        WEB / "index.html",
        WEB / "style.css",
        *WEB.glob("admin/**/*.*"),
        *WEB.glob("app/**/*.js"),
        *WEB.glob("library/*.js"),
        *WEB.glob("editor/**/*.js"),
        *WEB.glob("account/**/*.*"),
    ]:
        addresses = re.findall(r"https?://[^\s\"'`)]+", path.read_text(encoding="utf-8"))
        assert [address for address in addresses if "w3.org" not in address] == [], path


if __name__ == "__main__":
    # Write the page's list of preloads.
    page = (WEB / "index.html").read_text(encoding="utf-8")
    lines = [
        f'  <link rel="modulepreload" href="/static/{{build}}/{path.relative_to(WEB)}">'
        for path in sorted(graph("app/main.js"), key=str)
    ]
    page = re.sub(
        r'(  <link rel="modulepreload"[^\n]*\n)*(  <script type="module")',
        lambda found: "\n".join(lines) + "\n" + found.group(2),
        page,
        count=1,
    )
    (WEB / "index.html").write_text(page, encoding="utf-8")
