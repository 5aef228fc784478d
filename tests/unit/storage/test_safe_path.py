"""Files are opened inside a folder only: no link is followed, whatever the parts of the path are."""

import os
from pathlib import Path

import pytest

from services.storage.safe_path import open_file, open_folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file, beside a secret that it must not reach."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_bytes(b"secret")
    folder = tmp_path / "root"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "file").write_bytes(b"public")
    return folder


def read(root: Path, *parts: str) -> bytes:
    descriptor = open_file(root, parts)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def test_a_file_inside_the_folder_is_opened(root: Path) -> None:
    assert read(root, "a", "file") == b"public"


@pytest.mark.parametrize("target", ["../secret", "a"])
def test_a_link_to_a_folder_is_not_followed(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        read(root, "link", "file")


def test_a_link_to_a_file_is_not_followed(root: Path) -> None:
    (root / "link").symlink_to("../secret/file")
    with pytest.raises(OSError, match="Too many levels"):
        read(root, "link")


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(root)
    assert read(tmp_path / "other", "a", "file") == b"public"


def test_missing_folders_are_made_for_this_user_only(tmp_path: Path) -> None:
    os.close(open_folder(tmp_path / "new", ["a", "b"], make=True))
    for path in ("new", "new/a", "new/a/b"):
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileNotFoundError):
        open_folder(tmp_path, ["missing"])


def test_opening_a_pipe_does_not_wait_for_its_writer(root: Path) -> None:
    os.mkfifo(root / "pipe")
    os.close(open_file(root, ["pipe"]))


def lowest_free_descriptor() -> int:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor


def test_no_descriptor_stays_open(root: Path) -> None:
    before = lowest_free_descriptor()
    read(root, "a", "file")
    with pytest.raises(FileNotFoundError):
        read(root, "a", "missing", "file")
    assert lowest_free_descriptor() == before
