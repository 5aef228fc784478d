"""Usage is counted in memory and written in the background; a month's quota holds meanwhile."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from services.api_keys import usage_counter
from services.api_keys.errors import MonthlyQuotaUsedUp
from services.api_keys.usage import Counts, Slot, charged_since, usage_of, write_usage
from services.api_keys.usage_counter import FLUSH_SECONDS, FRESH_SECONDS, UsageCounter
from services.errors import DatabaseUnavailable
from services.persistence.database import Database
from tests.support.waiting import poll

DAY = date(2026, 2, 3)
ONE = Counts(requests=1, images=1, charged=1, megapixels=0.5, bytes_in=10)
QUOTA = 60


class NoThread:
    """A writer that writes nothing by itself."""

    def __init__(self, *_: object) -> None:
        """Take what a `BackgroundWriter` takes."""

    def wake(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Losable(Database):
    """An SQLite database that can be lost."""

    lost = False

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        if self.lost:
            raise DatabaseUnavailable("lost")
        with super().session() as session:
            yield session

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        if self.lost:
            raise DatabaseUnavailable("lost")
        with super().connection() as connection:
            yield connection


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_counter, "today", lambda: DAY)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Losable]:
    database = Losable(f"sqlite:///{tmp_path}/usage.db")
    yield database
    database.close()


def written(database: Database) -> dict[Slot, Counts]:
    return usage_of(database, ["a"], date(2020, 1, 1))


def test_counts_are_written_at_the_end_and_none_is_lost(database: Losable) -> None:
    counter = UsageCounter(database, 400)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(200):
            pool.submit(counter.add, "a", "/remove-bg", ONE)
    counter.close()
    assert written(database) == {Slot("a", DAY, "/remove-bg"): Counts(200, 200, 200, 0, 100.0, 2000)}


def test_nothing_is_written_of_a_caller_that_is_deleted(database: Losable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_counter, "BackgroundWriter", NoThread)
    counter = UsageCounter(database, 400)
    for caller in ("a", "b"):
        counter.add(caller, "/matte", ONE)
    counter.drop("b")
    counter.add("b", "/matte", ONE)
    assert counter.flush()
    assert {slot.caller for slot in usage_of(database, ["a", "b"], DAY)} == {"a"}


def test_number_of_remembered_deletions_is_bounded(database: Losable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_counter, "BackgroundWriter", NoThread)
    monkeypatch.setattr(usage_counter, "MAX_CALLERS", 3)
    counter = UsageCounter(database, 400)
    for caller in ("a", "b", "c", "d"):
        counter.drop(caller)
    for caller in ("a", "b", "c", "d"):
        counter.add(caller, "/matte", ONE)
    assert counter.flush()
    assert {slot.caller for slot in usage_of(database, ["a", "b", "c", "d"], DAY)} == {"a"}


def test_counts_wait_while_the_database_is_lost(database: Losable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_counter, "FLUSH_SECONDS", 0.02)
    counter, database.lost = UsageCounter(database, 400), True
    counter.add("a", "/remove-bg", ONE)
    assert counter.flush() is False
    counter.add("a", "/remove-bg", ONE)
    database.lost = False
    poll(lambda: written(database) == {Slot("a", DAY, "/remove-bg"): ONE + ONE}, 5, "the counts")
    counter.close()


def test_used_images_are_those_of_all_processes(database: Losable) -> None:
    clock = Clock()
    one, other = UsageCounter(database, 400, clock), UsageCounter(database, 400, clock)
    one.add("a", "/remove-bg", ONE)
    other.add("a", "/matte", ONE)
    other.add("b", "/matte", ONE)
    assert one.used("a") >= 1
    one.flush()
    other.flush()
    clock.now += 1
    assert (one.used("a"), other.used("a"), one.used("b")) == (2, 2, 1)
    one.close()
    other.close()


def test_lost_database_leaves_the_last_known_count(database: Losable) -> None:
    clock = Clock()
    counter = UsageCounter(database, 400, clock)
    write_usage(database, {Slot("a", DAY, "/remove-bg"): ONE})
    assert counter.used("a") == 1
    database.lost = True
    clock.now += 3600
    assert counter.used("a") == 1
    counter.reserve("a", 2, 1)
    with pytest.raises(MonthlyQuotaUsedUp):
        counter.reserve("a", 2, 1)
    counter.close()


def test_quota_refuses_what_is_not_left_and_says_how_much_is(database: Losable) -> None:
    counter = UsageCounter(database, 400)
    write_usage(database, {Slot("a", DAY, "/remove-bg"): Counts(charged=3)})
    counter.reserve("a", 5, 1)
    with pytest.raises(MonthlyQuotaUsedUp) as refused:
        counter.reserve("a", 5, 2)
    assert "4 images of 5 are used or in progress, and this request needs 2; allowed now: 1" in str(refused.value)
    assert "2026-03-01" in refused.value.solution
    with pytest.raises(MonthlyQuotaUsedUp):
        counter.reserve("a", 5, 1, waiting=1)
    counter.release("a", 1)
    counter.reserve("a", 5, 2)
    counter.close()


def test_concurrent_requests_get_no_more_than_the_quota(database: Losable) -> None:
    counter = UsageCounter(database, 400)

    def work(_: int) -> bool:
        try:
            counter.reserve("a", 50, 1)
        except MonthlyQuotaUsedUp:
            return False
        counter.add("a", "/remove-bg", ONE)
        counter.release("a", 1)
        return True

    with ThreadPoolExecutor(8) as pool:
        done = sum(pool.map(work, range(200)))
    counter.close()
    assert done <= 50
    assert charged_since(database, "a", DAY.replace(day=1)) == done


@dataclass
class Process:
    """A web process, with the images that it works on, and the moments at which it finished others."""

    counter: UsageCounter
    running: list[float] = field(default_factory=list)
    finished: list[float] = field(default_factory=list)

    def step(self, now: float, seconds: Callable[[], float]) -> bool:
        """Finish what is due; try to begin one more image and return whether the quota lets it."""
        for _ in [end for end in self.running if end <= now]:
            self.counter.add("a", "/remove-bg", ONE)
            self.counter.release("a", 1)
            self.finished.append(now)
        self.running = [end for end in self.running if end > now]
        try:
            self.counter.reserve("a", QUOTA, 1)
        except MonthlyQuotaUsedUp:
            return False
        self.running.append(now + seconds())
        return True

    def unseen(self, now: float) -> int:
        """Return how many of its images another process may not know of."""
        late = FLUSH_SECONDS + FRESH_SECONDS
        return len(self.running) + sum(at >= now - late for at in self.finished)


@pytest.mark.parametrize("seed", range(3))
def test_quota_is_exceeded_at_most_by_what_other_processes_are_doing(
    database: Losable, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # The test's clock says when each process writes: as seldom as the thread would.
    monkeypatch.setattr(usage_counter, "BackgroundWriter", NoThread)
    clock, random = Clock(), Random(seed)
    processes = [Process(UsageCounter(database, 400, clock)) for _ in range(3)]
    begun, most = 0, 0
    for tick in range(150):
        clock.now = 1000.0 + tick / 10
        for number, process in enumerate(processes):
            if tick % int(FLUSH_SECONDS * 10) == number:
                process.counter.flush()
            if random.random() < 0.3 and process.step(clock.now, lambda: random.uniform(0.1, 3)):
                begun += 1
                others = sum(other.unseen(clock.now) for other in processes if other is not process)
                assert begun - QUOTA <= others
        most = max(most, begun - QUOTA)
    # Otherwise the bound would say nothing. When all have written, each process knows.
    assert most > 0
    assert begun == QUOTA + most
    for process in processes:
        process.step(clock.now + 3, lambda: 1.0)
        process.counter.flush()
    clock.now += FRESH_SECONDS + 0.1
    assert {process.counter.used("a") for process in processes} == {begun}


def test_last_month_is_not_counted(database: Losable) -> None:
    counter = UsageCounter(database, 400)
    write_usage(database, {Slot("a", date(2026, 1, 31), "/remove-bg"): ONE})
    assert counter.used("a") == 0
    counter.close()


def test_rows_older_than_the_retention_are_deleted(database: Losable) -> None:
    counter = UsageCounter(database, 31)
    write_usage(database, {Slot("a", date(2026, 1, 2), "/remove-bg"): ONE, Slot("a", date(2026, 1, 3), "/x"): ONE})
    counter.add("a", "/remove-bg", ONE)
    counter.close()
    assert [slot.day for slot in written(database)] == [date(2026, 1, 3), DAY]


def test_unused_counter_opens_nothing(tmp_path: Path) -> None:
    counter = UsageCounter(Database(f"sqlite:///{tmp_path}/usage.db"), 400)
    counter.close()
    assert list(tmp_path.iterdir()) == []
