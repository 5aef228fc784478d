"""The secret that `make run` keeps in its data folder."""

import stat
from pathlib import Path

import pytest

from services.launch.secret import MIN_CHARS, keep_private, kept_secret


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secret_is_the_same_at_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "data/secret-key"
    first = kept_secret(file)
    assert len(first) == 64
    assert kept_secret(file) == first
    assert [path.name for path in file.parent.iterdir()] == ["secret-key"]


def test_only_the_owner_can_read_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "data/secret-key"
    kept_secret(file)
    assert (mode(file.parent), mode(file)) == (0o700, 0o600)
    file.chmod(0o644)
    kept_secret(file)
    assert mode(file) == 0o600


def test_secret_of_the_operator_is_kept(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("x" * MIN_CHARS)
    assert kept_secret(tmp_path / "secret-key") == "x" * MIN_CHARS


def test_secret_that_was_cut_off_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("short")
    assert len(kept_secret(tmp_path / "secret-key")) == 64


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(OSError, match="data"):
        kept_secret(tmp_path / "data/secret-key")


def test_folder_that_others_may_look_into_is_narrowed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    keep_private(folder)
    assert mode(folder) == 0o700
    folder.chmod(0o500)
    keep_private(folder)
    assert mode(folder) == 0o500
