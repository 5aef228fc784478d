"""What was made a moment ago is told again; nobody waits for what somebody else is making anew."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.persistence.ttl_cache import Recent


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def never() -> str:
    raise AssertionError("it is there already")


def test_a_value_is_made_once_in_a_while_for_each_key_and_forgotten_after_it() -> None:
    clock = Clock()
    recent = Recent[str](2.0, clock)
    assert recent.of("a", lambda: "first") == recent.of("a", never) == "first"
    assert recent.of("b", lambda: "other") == "other"
    clock.now += 1.9
    assert recent.of("a", never) == "first"
    clock.now += 0.2
    assert recent.of("a", lambda: "second") == recent.of("a", never) == "second"
    clock.now += 5
    recent.of("c", lambda: "")
    assert set(recent._kept) == {"c"}


def test_who_asks_while_it_is_made_anew_is_told_the_last_one() -> None:
    clock, making, go_on = Clock(), threading.Event(), threading.Event()
    recent = Recent[str](2.0, clock)

    def slow() -> str:
        making.set()
        go_on.wait(10)
        return "new"

    recent.of("a", lambda: "old")
    clock.now += 3
    with ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(recent.of, "a", slow)
        assert making.wait(10)
        assert recent.of("a", never) == "old"
        go_on.set()
        assert renewal.result(10) == "new"
    assert recent.of("a", never) == "new"


def test_what_could_not_be_made_is_made_by_the_next_who_asks() -> None:
    recent = Recent[float](60)
    with pytest.raises(ZeroDivisionError):
        recent.of("a", lambda: 1 / 0)
    assert recent.of("a", lambda: 7.0) == 7.0
