"""The local folder's own parts: on disk whole or not at all, tidy, and private. The contract is in test_base.py."""

import os
import time
from pathlib import Path

import pytest

from services.errors import BadOption
from services.storage.errors import ObjectNotFound, StorageUnavailable
from services.storage.local import ABANDONED_SECONDS, FILES_PATH, PARTIAL, LocalFolder


@pytest.fixture
def storage(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "objects", "secret")


class BrokenFile:
    """A file whose reading fails after the first piece."""

    def __init__(self) -> None:
        self._pieces = [b"first"]

    def read(self, _size: int, /) -> bytes:
        if not self._pieces:
            raise OSError(5, "Input/output error")
        return self._pieces.pop()


def test_an_object_is_a_file_under_its_key(storage: LocalFolder, tmp_path: Path) -> None:
    storage.put("a/b.png", b"data", "image/png")
    assert (tmp_path / "objects" / "a" / "b.png").read_bytes() == b"data"
    assert list((tmp_path / "objects" / PARTIAL).iterdir()) == []


def test_a_failed_write_leaves_the_old_object_and_no_partial_file(storage: LocalFolder, tmp_path: Path) -> None:
    storage.put("a/b.png", b"old", "image/png")
    with pytest.raises(StorageUnavailable, match="Input/output error"):
        storage.put("a/b.png", BrokenFile(), "image/png")
    with storage.open("a/b.png") as opened:
        assert b"".join(opened) == b"old"
    assert list((tmp_path / "objects" / PARTIAL).iterdir()) == []


def test_partial_files_of_killed_writers_are_removed_by_the_next_process(tmp_path: Path) -> None:
    partial = tmp_path / "objects" / PARTIAL
    partial.mkdir(parents=True)
    for name in ("old", "new"):
        (partial / name).touch()
    past = time.time() - ABANDONED_SECONDS - 10
    os.utime(partial / "old", (past, past))
    LocalFolder(tmp_path / "objects", "secret").put("a", b"", "image/png")
    assert [path.name for path in partial.iterdir()] == ["new"]


def test_deleting_the_last_object_of_a_folder_removes_the_folder(storage: LocalFolder, tmp_path: Path) -> None:
    storage.put("a/b/c.png", b"", "image/png")
    storage.put("a/d.png", b"", "image/png")
    storage.delete(["a/b/c.png", "a/b/missing.png"])
    assert sorted(path.name for path in (tmp_path / "objects" / "a").iterdir()) == ["d.png"]


def test_a_key_below_another_object_is_refused(storage: LocalFolder) -> None:
    storage.put("a", b"", "image/png")
    with pytest.raises(BadOption, match="key"):
        storage.put("a/b", b"", "image/png")
    with pytest.raises(ObjectNotFound):
        storage.open("a/b")


def test_a_link_opens_its_object_under_its_file_name(storage: LocalFolder) -> None:
    storage.put("a.png", b"data", "image/png")
    path, _, token = storage.url("a.png", 60, "cat.png").rpartition("/")
    opened, filename = storage.open_signed(token)
    assert (path, filename, b"".join(opened)) == (FILES_PATH, "cat.png", b"data")


def test_a_file_in_place_of_the_folder_fails_the_check(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable):
        LocalFolder(tmp_path / "file", "secret").check()
    LocalFolder(tmp_path / "not" / "yet", "secret").check()
