"""The state of a request, and the connection that it came on."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from flask import Flask

from routes.http.context import (
    EXTENSION,
    caller_gone,
    extend_connection_deadline,
    request_deadline,
    run_once,
    service,
    state,
)
from services.capacity.deadline import Deadline
from services.capacity.single_flight import SingleFlight
from services.errors import DeadlineExceeded
from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.pipeline import Result
from tests.support.waiting import poll


@pytest.fixture
def app() -> Flask:
    """An application whose requests may take 10 seconds."""
    made = Flask(__name__)
    made.extensions[EXTENSION] = SimpleNamespace(
        settings=SimpleNamespace(request_timeout_seconds=10.0), coalescer=SingleFlight(), response_deadlines={}
    )
    return made


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's end and the caller's end of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def result() -> Result:
    return Result(
        data=b"png", format=Format.PNG, width=5, height=4, foreground=Box(0, 0, 5, 4),
        original_format="jpeg", original_width=5, original_height=4, original_bytes=10, quality=None,
        max_width=None, max_height=None, max_pixels=None, model="u2net", confidence=0.5, timings={"decode": 1.0},
    )  # fmt: skip


def test_each_request_has_its_own_state(app: Flask) -> None:
    with app.test_request_context("/"):
        state().cost = 7
        assert state().cost == 7
    with app.test_request_context("/"):
        assert state().cost == 1


def test_deadline_runs_from_the_first_byte(app: Flask) -> None:
    with app.test_request_context("/"):
        state().started = time.monotonic() - 4
        assert request_deadline().remaining() == pytest.approx(6, abs=0.5)
        state().started = time.monotonic() - 11
        with pytest.raises(DeadlineExceeded):
            request_deadline().check()


def test_caller_without_a_connection_of_gunicorn_never_leaves(app: Flask) -> None:
    with app.test_request_context("/"):
        assert not caller_gone()()


def test_caller_that_closes_the_connection_is_gone(app: Flask, connection: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = connection
    with app.test_request_context("/", environ_overrides={"gunicorn.socket": ours}):
        gone = caller_gone()
        assert not gone()
        theirs.sendall(b"more")
        assert not gone()
        assert ours.recv(4) == b"more"
        theirs.close()
        assert gone()


def test_caller_of_a_connection_that_we_closed_is_gone(
    app: Flask, connection: tuple[socket.socket, socket.socket]
) -> None:
    with app.test_request_context("/", environ_overrides={"gunicorn.socket": connection[0]}):
        gone = caller_gone()
        connection[0].close()
        assert gone()


def test_extended_deadline_ends_with_its_block(app: Flask, connection: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = connection
    with app.test_request_context("/", environ_overrides={"gunicorn.socket": ours}):
        with extend_connection_deadline(123.0):
            assert service().response_deadlines == {ours: 123.0}
        assert service().response_deadlines == {}
    with app.test_request_context("/"), extend_connection_deadline(123.0):
        assert service().response_deadlines == {}


def test_second_request_with_the_same_key_shares_the_result(app: Flask, result: Result) -> None:
    entered, leave = threading.Event(), threading.Event()

    def work(_: Deadline) -> Result:
        assert not entered.is_set(), "the work was done twice"
        entered.set()
        assert leave.wait(10)
        return result

    def ask() -> Result:
        with app.test_request_context("/"):
            return run_once("key", work)

    with ThreadPoolExecutor(2) as threads:
        leader = threads.submit(ask)
        assert entered.wait(10)
        follower = threads.submit(ask)
        poll(lambda: app.extensions[EXTENSION].coalescer._flights["key"].followers)
        leave.set()
        assert leader.result(10) == result
        shared = follower.result(10)
    assert list(shared.timings) == ["wait"]
    assert shared.data == result.data
