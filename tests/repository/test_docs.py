"""Check that generated pages are current, and that links and code paths in the documentation exist."""

import re
from pathlib import Path
from typing import Final

import pytest

from docs.generate import stale
from services.errors import all_errors
from tests.support.waiting import ROOT

PAGES: Final = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
LINK: Final = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
CODE_PATH: Final = re.compile(r"`((?:services|routes|tests|benchmarks|docs|deploy)/[\w./-]+\.\w+)`")
CURL: Final = re.compile(r"^\s*curl (?!.*--fail-with-body)", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_reference_matches_the_code() -> None:
    assert stale() == [], "run `make reference`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_code_path_exists(page: Path) -> None:
    missing = [path for path in CODE_PATH.findall(page.read_text()) if not (ROOT / path).exists()]
    assert missing == []


def test_curl_examples_show_error_bodies() -> None:
    for page in PAGES:
        for block in re.findall(r"```(?:bash|sh)?\n(.*?)```", page.read_text(), re.DOTALL):
            assert not CURL.search(block), f"{page.name}: {block[:80]}"


def test_readme_stays_short() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 130
    assert max(map(len, lines)) <= 140


def test_reference_lists_every_error_code_once() -> None:
    page = (ROOT / "docs/reference/errors.md").read_text()
    for error in all_errors():
        assert page.count(f"| `{error.code}` |") == 1, error.code


def test_every_decision_has_a_status_and_a_row_in_the_index() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    for page in (ROOT / "docs/decisions").glob("0*.md"):
        status = re.search(
            r"^Status: (Accepted|Superseded by \d{3}) (\d{4}-\d\d-\d\d)$", page.read_text(), re.MULTILINE
        )
        assert status, page.name
        assert f"]({page.name}) | {status[1]} | {status[2]} |" in index
