"""Engines of both databases: bounded waiting, SQLite's settings, and no connection before it is needed."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from services.persistence.database import parse_url
from services.persistence.engine import BUSY_SECONDS, enable_write_ahead_log, make_engine, sqlite_file


def test_sqlite_file_is_the_path_of_only_an_sqlite_url() -> None:
    assert sqlite_file(parse_url("sqlite:///data/keys.db")) == Path("data/keys.db")
    assert sqlite_file(parse_url("sqlite:////var/keys.db")) == Path("/var/keys.db")
    assert sqlite_file(parse_url("postgresql://user@host/name")) is None


def test_make_engine_makes_the_folder_but_not_the_file(tmp_path: Path) -> None:
    engine = make_engine(parse_url(f"sqlite:///{tmp_path}/a/b/keys.db"))
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "b"]
    engine.dispose()


def test_sqlite_enforces_foreign_keys_and_waits_for_writers(tmp_path: Path) -> None:
    engine = make_engine(parse_url(f"sqlite:///{tmp_path}/keys.db"))
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == BUSY_SECONDS * 1000
    engine.dispose()


def test_sqlite_rolls_back_the_creation_of_a_table(tmp_path: Path) -> None:
    engine = make_engine(parse_url(f"sqlite:///{tmp_path}/keys.db"))
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER)"))
        connection.rollback()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar() == 0
    engine.dispose()


def test_write_ahead_log_stays_enabled_in_the_file(tmp_path: Path) -> None:
    url = parse_url(f"sqlite:///{tmp_path}/keys.db")
    first, second = make_engine(url), make_engine(url)
    enable_write_ahead_log(first)
    first.dispose()
    with second.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    second.dispose()


def test_postgresql_is_given_up_after_a_bounded_time() -> None:
    engine = make_engine(parse_url("postgresql://user:hunter2@host/name"))
    _, options = engine.dialect.create_connect_args(engine.url)
    assert options["user"] == "user"
    assert engine.hide_parameters
    assert engine.pool.status().startswith("Pool size: 5  Connections in pool: 0")


@pytest.fixture
def open_umask() -> Iterator[None]:
    """New files and folders can be read by all."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("existing", [False, True])
def test_only_the_owner_can_read_sqlite_files(tmp_path: Path, existing: bool) -> None:
    folder = tmp_path / "data"
    if existing:
        folder.mkdir()
        for name in ("keys.db", "keys.db-wal", "keys.db-shm"):
            (folder / name).touch(mode=0o644)
    engine = make_engine(parse_url(f"sqlite:///{folder}/keys.db"))
    enable_write_ahead_log(engine)
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER)"))
        connection.commit()
        assert modes(folder) == dict.fromkeys(("keys.db", "keys.db-wal", "keys.db-shm"), 0o600)
    engine.dispose()
    assert existing or stat.S_IMODE(folder.stat().st_mode) == 0o700
