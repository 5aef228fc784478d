"""The outbox: its order, its bound, and what it survives."""

import threading

import pytest
from structlog.testing import capture_logs

from services.accounts.outbox import Outbox
from services.errors import Busy


def test_work_is_done_in_its_order_and_before_the_end() -> None:
    done: list[int] = []
    outbox = Outbox()
    for number in range(5):
        outbox.add(lambda number=number: done.append(number))  # type: ignore[misc]
    outbox.close()
    assert done == [0, 1, 2, 3, 4]


def test_failure_is_logged_without_its_text_and_the_next_goes_on() -> None:
    done: list[bool] = []

    def fail() -> None:
        raise OSError("550 ann@example.com is unknown")

    with capture_logs() as logs:
        outbox = Outbox()
        outbox.add(fail)
        outbox.add(lambda: done.append(True))
        outbox.close()
    assert done == [True]
    assert [(line["event"], line["kind"]) for line in logs] == [("mail not sent", "OSError")]
    assert "ann@" not in str(logs)


def test_full_outbox_refuses() -> None:
    go_on, outbox = threading.Event(), Outbox(most=1)
    started = threading.Event()

    def wait() -> None:
        started.set()
        go_on.wait(5)

    outbox.add(wait)
    started.wait(5)
    outbox.add(lambda: None)
    with pytest.raises(Busy):
        outbox.add(lambda: None)
    go_on.set()
    outbox.close()
