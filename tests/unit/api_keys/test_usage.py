"""The table of usage in SQLite; PostgreSQL is in the integration tests."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from services.api_keys.usage import (
    Counts,
    Slot,
    charged_by_caller,
    charged_since,
    delete_usage_before,
    month_of,
    usage_of,
    usage_of_all,
    write_usage,
)
from services.persistence.database import Database

DAY = date(2026, 2, 3)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/usage.db")
    yield database
    database.close()


def test_counts_of_a_day_and_endpoint_add_up(database: Database) -> None:
    slot = Slot("a", DAY, "/remove-bg")
    for _ in range(3):
        write_usage(database, {slot: Counts(2, 1, 1, 1, 0.5, 100), Slot("b", DAY, "/matte"): Counts(images=1)})
    assert usage_of(database, ["a"], DAY) == {slot: Counts(6, 3, 3, 3, 1.5, 300)}
    assert len(usage_of_all(database, DAY)) == 2


def test_month_has_only_its_own_charged_images(database: Database) -> None:
    used = Counts(images=2, charged=1)
    for day in (date(2026, 1, 31), date(2026, 2, 1), DAY):
        write_usage(database, {Slot("a", day, "/remove-bg"): used, Slot("b", day, "/remove-bg"): used})
    assert charged_since(database, "a", date(2026, 2, 1)) == 2
    assert charged_by_caller(database, date(2026, 2, 1)) == {"a": 2, "b": 2}
    assert charged_since(database, "nobody", date(2026, 2, 1)) == 0


def test_old_days_are_deleted(database: Database) -> None:
    for day in (date(2025, 12, 31), DAY):
        write_usage(database, {Slot("a", day, "/remove-bg"): Counts(images=1)})
    assert delete_usage_before(database, DAY) == 1
    assert [slot.day for slot in usage_of_all(database, date(2020, 1, 1))] == [DAY]


@pytest.mark.parametrize(
    ("day", "first", "renewed"),
    [
        (DAY, date(2026, 2, 1), date(2026, 3, 1)),
        (date(2026, 12, 31), date(2026, 12, 1), date(2027, 1, 1)),
        (date(2026, 1, 1), date(2026, 1, 1), date(2026, 2, 1)),
    ],
)
def test_month_begins_on_its_first_day(day: date, first: date, renewed: date) -> None:
    assert month_of(day) == (first, renewed)
