"""The plan of a folder: pictures, results' names, and what is left out."""

import os
from pathlib import Path

import pytest

from commands.plan import HIDDEN, LINK, NO_PICTURE, UNREACHABLE, Picture, find_pictures, plan
from services.imaging.formats import Format


def touch(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return [folder / name for name in names]


def test_pictures_are_found_and_everything_else_is_left_out_with_its_reason(tmp_path: Path) -> None:
    touch(tmp_path, "b.JPG", "a/a.jfif", "notes.txt", ".hidden.jpg", ".cache/x.jpg", "out/old.png")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.JPG")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = find_pictures(tmp_path, tmp_path / "out")
    assert [str(path.relative_to(tmp_path)) for path in found.pictures] == ["a/a.jfif", "b.JPG"]
    assert {(path.name, reason) for path, reason in found.left_out} == {
        ("notes.txt", NO_PICTURE), (".hidden.jpg", HIDDEN), (".cache", HIDDEN), ("link.jpg", LINK), ("loop", LINK),
    }  # fmt: skip


def test_results_keep_subfolders_and_twins_get_names_of_their_own(tmp_path: Path) -> None:
    pictures = touch(tmp_path / "in", "a.jpg", "a.png", "sub/a.jpg")
    planned = plan(pictures, tmp_path / "in", tmp_path / "out", Format.WEBP)
    names = [str(picture.target.relative_to(tmp_path / "out")) for picture in planned]
    assert names == ["a-jpg-no-bg.webp", "a-png-no-bg.webp", "sub/a-no-bg.webp"]
    assert not any(picture.refused for picture in planned)


def test_clash_of_names_that_remains_is_refused(tmp_path: Path) -> None:
    pictures = touch(tmp_path, "a-jpg.webp", "a.jpg", "a.png")
    planned = plan(pictures, tmp_path, tmp_path / "out", Format.PNG)
    assert [bool(picture.refused) for picture in planned] == [False, True, False]
    assert "a-jpg.webp; rename one of them" in planned[1].refused


def test_result_never_has_the_path_of_a_picture(tmp_path: Path) -> None:
    """The output folder holds the folder of the pictures, whose sub-folder has the same name."""
    source = tmp_path / "in"
    pictures = touch(source, "a-no-bg.png", "in/a.jpg")
    planned = plan(pictures, source, tmp_path, Format.PNG)
    assert [bool(picture.refused) for picture in planned] == [False, True]
    assert "would replace a picture" in planned[1].refused


def test_result_is_done_while_it_is_not_older_than_its_picture(tmp_path: Path) -> None:
    source, target = touch(tmp_path, "a.jpg", "a.png")
    os.utime(source, (1000, 1000))
    os.utime(target, (1000, 1000))
    assert Picture(source, target).is_done()
    os.utime(source, (1001, 1001))
    assert not Picture(source, target).is_done()
    target.unlink()
    assert not Picture(source, target).is_done()


def test_auto_format_follows_each_pictures_name(tmp_path: Path) -> None:
    pictures = touch(tmp_path, "a.gif", "b.WEBP", "c.png", "d.jpg")
    planned = plan(pictures, tmp_path, tmp_path / "out", Format.AUTO)
    names = [picture.target.name for picture in planned]
    assert names == ["a-no-bg.webp", "b-no-bg.webp", "c-no-bg.png", "d-no-bg.png"]


def test_folder_that_cannot_be_entered_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.jpg", "closed/b.jpg", "closed/sub/c.jpg")
    look = Path.is_symlink

    def refused(path: Path) -> bool:
        # The names in a folder without the right to enter it can be listed, and nothing else.
        if path.parent.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(Path, "is_symlink", refused)
    found = find_pictures(tmp_path)
    assert found.pictures == [tmp_path / "a.jpg"]
    assert sorted(found.left_out) == [(tmp_path / "closed/b.jpg", UNREACHABLE), (tmp_path / "closed/sub", UNREACHABLE)]
