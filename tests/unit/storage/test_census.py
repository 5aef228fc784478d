"""Counting objects within bounds."""

from itertools import count
from pathlib import Path

import pytest

from services.storage import census
from services.storage.census import Census, count_all, count_objects
from services.storage.local import LocalFolder


@pytest.fixture
def storage(tmp_path: Path) -> LocalFolder:
    made = LocalFolder(tmp_path, "secret")
    for number in range(5):
        made.put(f"results/{number}/a.png", b"1234", "image/png")
    made.put("originals/0/1", b"12", "image/png")
    return made


def test_files_and_bytes_are_counted_by_prefix(storage: LocalFolder) -> None:
    found = count_all(storage, {"uploads": "originals/", "results": "results/", "masks": "masks/"})
    assert found == {"uploads": Census(1, 2), "results": Census(5, 20), "masks": Census()}


def test_count_of_many_files_is_cut(storage: LocalFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "MAX_COUNTED", 5)
    assert count_objects(storage, "results/") == Census(5, 20)
    monkeypatch.setattr(census, "MAX_COUNTED", 4)
    assert count_objects(storage, "results/") == Census(4, 16, at_least=True)


def test_slow_count_is_cut(storage: LocalFolder) -> None:
    seconds = count(step=0.9)
    assert count_objects(storage, "results/", lambda: next(seconds)) == Census(2, 8, at_least=True)
