"""A background check returns immediately and runs one at a time."""

import threading
import time

from services.observability.background_check import WAIT_SECONDS, BackgroundCheck
from tests.support.waiting import poll


def test_slow_check_runs_once_and_is_returned_by_a_later_look() -> None:
    may_answer, asked = threading.Event(), []

    def ask() -> str:
        asked.append(1)
        may_answer.wait(10)
        return "found"

    probe = BackgroundCheck(ask, "nothing yet", keep=60)
    start = time.monotonic()
    assert {probe.latest()[0] for _ in range(50)} == {"nothing yet"}
    # The first look waits, those after it do not.
    assert time.monotonic() - start < 50 * WAIT_SECONDS
    may_answer.set()
    poll(lambda: probe.latest()[0] == "found", 30)
    assert probe.latest()[0] == "found"
    assert len(asked) == 1


def test_quick_answer_is_returned_at_once_and_kept() -> None:
    numbers = iter(range(10))
    kept, fresh = BackgroundCheck(lambda: 7, 0, keep=60), BackgroundCheck(lambda: next(numbers), -1, keep=0)
    poll(lambda: kept.latest()[0] == 7, 30)
    poll(lambda: fresh.latest()[0] >= 3, 30)
