"""Roots: a path is inside with all of its links followed, or refused."""

from pathlib import Path

import pytest

from commands.roots import OutsideRoots, Roots


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    for name in ("one", "two", "one-more"):
        (tmp_path / name).mkdir()
    (tmp_path / "one/out").symlink_to(tmp_path / "one-more")
    (tmp_path / "one/in").symlink_to(tmp_path / "two")
    (tmp_path / "one/circle").symlink_to(tmp_path / "one/circle")
    return Roots([tmp_path / "one", tmp_path / "two"])


@pytest.mark.parametrize(("path", "found"), [("a", "one/a"), (".", "one"), ("in/a", "two/a"), ("../two", "two")])
def test_path_inside_is_returned_without_links(roots: Roots, tmp_path: Path, path: str, found: str) -> None:
    assert roots.inside(path) == tmp_path / found
    assert roots.inside(str(tmp_path / "one" / path)) == tmp_path / found


@pytest.mark.parametrize("path", ["..", "../one-more/a", "out", "out/a.jpg", "/etc/passwd", "a\0b", "circle/a"])
def test_path_outside_is_refused(roots: Roots, path: str) -> None:
    with pytest.raises(OutsideRoots):
        roots.inside(path)


def test_link_as_a_root_is_followed_once(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "named").symlink_to(tmp_path / "real")
    assert Roots([tmp_path / "named"]).inside("a") == tmp_path / "real/a"
