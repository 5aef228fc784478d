"""The cache of API keys: how long a key is cached, also without a database, and how its uses are counted."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from services.api_keys import key_cache as keyring
from services.api_keys.key_cache import FRESH_SECONDS, MAX_UNKNOWN, STALE_SECONDS, KeyCache
from services.api_keys.keys import create_key, find_key, revoke_key
from services.errors import DatabaseUnavailable
from services.persistence.database import Database
from tests.support.waiting import poll


class Counted(Database):
    """An SQLite database that can be lost, and counts its transactions."""

    lost = False
    refused = 0
    sessions = 0

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        if self.lost:
            self.refused += 1
            raise DatabaseUnavailable("lost")
        self.sessions += 1
        with super().session() as session:
            yield session


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Counted]:
    database = Counted(f"sqlite:///{tmp_path}/keys.db")
    yield database
    database.close()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_key_is_cached_and_its_revocation_seen_within_a_second(database: Counted, clock: Clock) -> None:
    assert FRESH_SECONDS < 1
    text, _ = create_key(database, name="shop")
    keys, other = KeyCache(database, clock), KeyCache(database, clock)
    assert keys.find(text)
    assert other.find(text)
    before = database.sessions
    for _ in range(100):
        assert keys.find(text)
    assert database.sessions == before
    revoke_key(database, "shop")
    for worker in (keys, other):
        found = worker.find(text)
        assert found
        assert found.problem() == ""
    clock.now += FRESH_SECONDS + 0.001
    for worker in (keys, other):
        found = worker.find(text)
        assert found
        assert found.problem() == "revoked"


def test_a_wrong_secret_is_refused_from_the_cache(database: Counted, clock: Clock) -> None:
    text, key = create_key(database, name="shop")
    keys = KeyCache(database, clock)
    assert keys.find(text)
    before = database.sessions
    assert keys.find(f"bgr_{key.id}_{'0' * 40}") is None
    for unlike in ("", "x", text[:-1], text + "0", text.upper(), f" {text}", "é" * 57, f"{text}\n"):
        assert keys.find(unlike) is None
    assert database.sessions == before


def test_unknown_keys_are_cached_briefly_and_in_limited_number(database: Counted, clock: Clock) -> None:
    text, _ = create_key(database, name="shop")
    keys = KeyCache(database, clock)
    assert keys.find(text)
    before = database.sessions
    for _ in range(3):
        assert keys.find(f"bgr_{'0' * 12}_{'0' * 40}") is None
    assert database.sessions == before + 1
    for number in range(MAX_UNKNOWN + 50):
        assert keys.find(f"bgr_{number:012x}_{'0' * 40}") is None
    assert len(keys._unknown) == MAX_UNKNOWN
    assert len(keys._known) == 1  # unknown ones do not push it out


def test_known_keys_stay_valid_while_the_database_is_unavailable(database: Counted, clock: Clock) -> None:
    text, _ = create_key(database, name="shop")
    unused, _ = create_key(database, name="unused")
    keys = KeyCache(database, clock)
    assert keys.find(text)
    database.lost = True
    clock.now += STALE_SECONDS - 1
    assert keys.find(text)
    with pytest.raises(DatabaseUnavailable):
        keys.find(unused)
    clock.now += 2
    with pytest.raises(DatabaseUnavailable):
        keys.find(text)
    database.lost = False
    assert keys.find(text)


def test_many_uses_are_written_together_and_none_is_lost(database: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    text, key = create_key(database, name="shop")
    keys = KeyCache(database)
    found = keys.find(text)
    assert found
    before = database.sessions
    keys.note_use(found.id)

    uncounted = Database(f"sqlite:///{database.file}")
    poll(lambda: uses_of(uncounted, key.id) == 1, 5, "the first use, written immediately")
    for _ in range(1000):
        keys.note_use(found.id)
    assert database.sessions == before + 1
    keys.close()
    assert uses_of(uncounted, key.id) == 1001
    uncounted.close()
    assert database.sessions == before + 2
    found = find_key(database, key.id)
    assert found
    assert found.last_used_at


def uses_of(database: Database, key_id: str) -> int:
    found = find_key(database, key_id)
    assert found
    return found.uses


def test_uses_are_written_when_the_database_returns(database: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "FLUSH_SECONDS", 0.05)
    text, key = create_key(database, name="shop")
    keys = KeyCache(database)
    found = keys.find(text)
    assert found
    database.lost = True
    for _ in range(7):
        keys.note_use(found.id)
    poll(lambda: database.refused, 5, "a try to write")
    keys.note_use(found.id)
    database.lost = False
    poll(lambda: uses_of(database, key.id) == 8, 5, "all uses written")
    keys.close()


def test_an_unused_cache_starts_no_thread_and_opens_nothing(tmp_path: Path) -> None:
    keys = KeyCache(Database(f"sqlite:///{tmp_path}/keys.db"))
    assert keys.find("anything") is None
    keys.close()
    assert list(tmp_path.iterdir()) == []
