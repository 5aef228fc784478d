"""The deadline of a request and the stopwatch of its steps."""

import time

import pytest

from services.capacity.deadline import Deadline, Stopwatch
from services.errors import ClientGone, DeadlineExceeded


def test_deadline_without_seconds_never_expires() -> None:
    deadline = Deadline(started=0.0)
    assert deadline.remaining() is None
    deadline.check()


def test_remaining_seconds_count_from_the_start() -> None:
    remaining = Deadline(100.0, started=time.monotonic() - 40).remaining()
    assert remaining == pytest.approx(60, abs=5)


def test_expired_deadline_raises() -> None:
    deadline = Deadline(1.5, started=time.monotonic() - 2)
    assert deadline.remaining() == 0.0
    with pytest.raises(DeadlineExceeded, match=r"not done after 1\.5 s"):
        deadline.check()


def test_closed_connection_raises_before_the_deadline() -> None:
    with pytest.raises(ClientGone):
        Deadline(100.0, gone=lambda: True).check()


def test_stopwatch_adds_up_repeated_steps_in_order() -> None:
    steps: list[str] = []
    watch = Stopwatch(Deadline(), steps.append, {"decode": 1000.0})
    for name in ("segment", "decode"):
        with watch.step(name):
            pass
    assert steps == ["segment", "decode"]
    assert list(watch.timings) == ["decode", "segment"]
    assert 1000 < watch.timings["decode"] < 2000


def test_stopwatch_starts_no_step_after_the_deadline() -> None:
    steps: list[str] = []
    watch = Stopwatch(Deadline(1.0, started=time.monotonic() - 2), steps.append)
    with pytest.raises(DeadlineExceeded), watch.step("decode"):
        steps.append("body")
    assert (steps, watch.timings) == ([], {})
