"""Caches: a value is reused for its time, nobody waits for another's refresh, and the size is bounded."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.persistence.ttl_cache import LruCache, TtlCache


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def never() -> str:
    raise AssertionError("it is there already")


def test_a_value_is_made_once_per_period_and_dropped_after_it() -> None:
    clock = Clock()
    recent = TtlCache[str](2.0, clock)
    assert recent.get_or_make("a", lambda: "first") == recent.get_or_make("a", never) == "first"
    assert recent.get_or_make("b", lambda: "other") == "other"
    clock.now += 1.9
    assert recent.get_or_make("a", never) == "first"
    clock.now += 0.2
    assert recent.get_or_make("a", lambda: "second") == recent.get_or_make("a", never) == "second"
    clock.now += 5
    recent.get_or_make("c", lambda: "")
    assert set(recent._kept) == {"c"}


def test_callers_get_the_stale_value_during_a_refresh() -> None:
    clock, making, go_on = Clock(), threading.Event(), threading.Event()
    recent = TtlCache[str](2.0, clock)

    def slow() -> str:
        making.set()
        go_on.wait(10)
        return "new"

    recent.get_or_make("a", lambda: "old")
    clock.now += 3
    with ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(recent.get_or_make, "a", slow)
        assert making.wait(10)
        assert recent.get_or_make("a", never) == "old"
        go_on.set()
        assert renewal.result(10) == "new"
    assert recent.get_or_make("a", never) == "new"


def test_nobody_gets_a_value_that_is_much_older_than_its_time() -> None:
    clock = Clock()
    recent = TtlCache[str](2.0, clock)
    recent.get_or_make("a", lambda: "old")
    clock.now += 60
    # The inner call comes while the outer one makes the value.
    assert recent.get_or_make("a", lambda: recent.get_or_make("a", lambda: "new")) == "new"


def test_a_failed_refresh_is_repeated_by_the_next_caller() -> None:
    recent = TtlCache[float](60)
    with pytest.raises(ZeroDivisionError):
        recent.get_or_make("a", lambda: 1 / 0)
    assert recent.get_or_make("a", lambda: 7.0) == 7.0


def test_a_full_lru_cache_drops_the_value_set_longest_ago() -> None:
    cache = LruCache[int](3)
    for number in range(5):
        cache.set(str(number), number, at=number)
    cache.set("3", 33, at=9)
    cache.set("5", 5, at=9)
    assert [cache.get(str(number), since=0) for number in range(6)] == [None, None, None, 33, 4, 5]
    assert len(cache) == 3


def test_lru_cache_returns_no_value_set_before_since() -> None:
    cache = LruCache[int](3)
    cache.set("a", 1, at=4.0)
    assert cache.get("a", since=4.0) == 1
    assert cache.get("a", since=4.5) is None
    cache.drop("a")
    cache.drop("a")
    assert cache.get("a", since=0) is None
