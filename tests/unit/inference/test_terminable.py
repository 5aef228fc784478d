"""Runs that end at a deadline or with their client, on a session that works until it is stopped."""

import threading
from typing import Any

import pytest

from services.capacity.deadline import Deadline
from services.errors import ClientGone, DeadlineExceeded
from services.inference.terminable import TerminableSession
from tests.support.waiting import poll


class Inner:
    """A session that raises, as ONNX Runtime does, once its run is terminated; or works without an end in sight."""

    name = "inner"

    def __init__(self, *, endless: bool = False) -> None:
        self.endless = endless
        self.given: list[tuple[Any, ...]] = []

    def run(self, *given: Any) -> str:
        self.given.append(given)
        if self.endless:
            options = given[2]
            poll(lambda: options.terminate, 10)
            raise RuntimeError("terminated")
        return "mask"


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "terminate"]


def test_run_without_a_deadline_gets_no_options() -> None:
    inner = Inner()
    session = TerminableSession(inner)
    assert session.run(None, {"x": 1}) == "mask"
    with session.until(Deadline()):
        session.run(None, {"x": 2})
    with session.until(Deadline(60)):
        pass
    session.run(None, {"x": 3})
    assert inner.given == [(None, {"x": n}) for n in (1, 2, 3)]


def test_finished_run_leaves_no_thread() -> None:
    inner = Inner()
    session = TerminableSession(inner)
    with session.until(Deadline(60)):
        assert session.run(["out"], {}) == "mask"
    assert inner.given[0][:2] == (["out"], {})
    assert not inner.given[0][2].terminate
    poll(lambda: not watchers(), 5)


def test_deadline_stops_a_run() -> None:
    session = TerminableSession(Inner(endless=True))
    with pytest.raises(DeadlineExceeded, match=r"after 0\.02 s"), session.until(Deadline(0.02)):
        session.run(None, {})


def test_departed_client_stops_a_run() -> None:
    session = TerminableSession(Inner(endless=True))
    # Connected when the run begins, gone at the next check.
    checks = iter([False])
    with (
        pytest.raises(ClientGone, match="stopped in the model"),
        session.until(Deadline(60, gone=lambda: next(checks, True))),
    ):
        session.run(None, {})


def test_expired_deadline_refuses_to_begin() -> None:
    inner = Inner()
    session = TerminableSession(inner)
    with pytest.raises(DeadlineExceeded), session.until(Deadline(0)):
        session.run(None, {})
    assert inner.given == []


def test_errors_of_the_model_pass_through() -> None:
    class Broken(Inner):
        def run(self, *given: Any) -> str:
            raise ZeroDivisionError

    session = TerminableSession(Broken())
    with pytest.raises(ZeroDivisionError), session.until(Deadline(60)):
        session.run(None, {})
    assert session.name == "inner"
