"""The clocks of the worker class, with connections of the system."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from routes.http.context import EXTENSION
from routes.server import web_worker
from routes.server.connection import FIRST_BYTES
from tests.support.waiting import poll
from tests.support.web_worker import CLOCKS, RunningWorker, is_closed

# They wait for clocks.
pytestmark = pytest.mark.slow
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
STARTED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + bytes(FIRST_BYTES)


class Application:
    """Answers /large with more than the system's buffers hold; has the parts that the worker looks at."""

    def __init__(self) -> None:
        self.parts = SimpleNamespace(response_deadlines={}, draining=threading.Event())
        self.extensions = {EXTENSION: self.parts}
        self.may_take = 0.0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        data = bytes(30_000_000) if environ["PATH_INFO"] == "/large" else b"done"
        if self.may_take:
            self.parts.response_deadlines[environ["gunicorn.socket"]] = self.may_take
        start_response("200 OK", [("Content-Length", str(len(data)))])
        return [data]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningWorker]:
    """A worker whose clocks end nothing: a busy machine may take its time."""
    for module, name in CLOCKS:
        monkeypatch.setattr(module, name, 60)
    with RunningWorker(Application(), connections=20) as running:
        yield running


@pytest.fixture
def quick_clocks(worker: RunningWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks of half a second."""
    for module, name in CLOCKS:
        monkeypatch.setattr(module, name, 0.5)


def application(worker: RunningWorker) -> Application:
    found = worker.wsgi
    assert isinstance(found, Application)
    return found


@pytest.mark.usefixtures("quick_clocks")
@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nab", STARTED]
)
def test_silent_callers_are_cut_off(worker: RunningWorker, sent: bytes) -> None:
    with worker.connect(sent) as caller:
        assert is_closed(caller)
    poll(lambda: not worker.busy and worker.nr_conns == 0)


@pytest.mark.usefixtures("quick_clocks")
def test_a_byte_now_and_then_does_not_prolong_a_header(worker: RunningWorker) -> None:
    with worker.connect(b"GET / HTTP/1.1\r\nX: ") as caller:

        def is_cut() -> bool:
            try:
                caller.sendall(b"x")
            except OSError:
                return True
            return False

        poll(is_cut, 10)


@pytest.mark.usefixtures("quick_clocks")
def test_a_body_that_moves_is_not_cut_off(worker: RunningWorker) -> None:
    tick = threading.Event()
    with worker.connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n") as caller:
        for _ in range(10):
            tick.wait(0.15)
            caller.sendall(b"x")
        assert b" 200 OK" in caller.recv(4096)


def test_a_body_that_is_never_whole_ends_with_the_total(worker: RunningWorker) -> None:
    worker.body_seconds = 0.8
    tick = threading.Event()
    with worker.connect(STARTED) as caller:

        def is_cut() -> bool:
            tick.wait(0.1)
            try:
                caller.sendall(b"x")
                return caller.recv(1, socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                return False
            except OSError:
                return True

        poll(is_cut, 10)


@pytest.mark.usefixtures("quick_clocks")
def test_a_response_that_nobody_reads_frees_its_thread(worker: RunningWorker) -> None:
    with worker.connect(LARGE):
        poll(lambda: len(worker.busy) == 1)
        poll(lambda: not worker.busy, 10)


@pytest.mark.usefixtures("quick_clocks")
def test_a_long_response_may_take_until_its_own_deadline(worker: RunningWorker) -> None:
    application(worker).may_take = float("inf")
    with worker.connect(LARGE) as caller:
        poll(lambda: len(worker.busy) == 1)
        (conn,) = worker.busy
        poll(lambda: conn.sock.sends)
        threading.Event().wait(1.5)
        assert len(worker.busy) == 1
        application(worker).parts.response_deadlines.clear()
        assert is_closed(caller)


def test_unread_responses_of_one_peer_leave_threads_to_others(
    worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_worker, "SENDING_SECONDS", 0.2)
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(worker.connect(LARGE, "127.0.0.2"))
        poll(lambda: len(worker.busy) == 8)
        with worker.connect(GET) as caller:
            assert b" 200 OK" in caller.recv(4096)
        assert len(worker.busy) >= worker.share


@pytest.mark.parametrize("sent", [STARTED, LARGE], ids=["body", "response"])
def test_silence_of_many_peers_ends_sooner_while_others_wait(
    worker: RunningWorker, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(web_worker, "PRESSED_SECONDS", 0.3)
    with contextlib.ExitStack() as stack:
        for number in range(8):
            stack.enter_context(worker.connect(sent, f"127.0.0.{number + 10}"))
        poll(lambda: len(worker.busy) == 8)
        with worker.connect(GET) as caller:
            assert b" 200 OK" in caller.recv(4096)


def test_a_stop_answers_the_request_that_is_being_sent(worker: RunningWorker) -> None:
    worker.cfg.set("graceful_timeout", 10)
    with worker.connect(GET[:-4]) as caller, worker.connect() as silent:
        poll(lambda: len(worker.waiting) == 2)
        worker.handle_exit(15, None)
        caller.sendall(GET[-4:])
        received = caller.recv(4096)
        assert b" 200 OK" in received
        assert b"Connection: close" in received
        assert is_closed(silent)
    assert application(worker).parts.draining.is_set()


def test_worker_above_its_memory_ends_after_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_worker, "MIN_AGE_SECONDS", 0.0)
    monkeypatch.setattr(web_worker, "MEMORY_SECONDS", 0.0)
    with RunningWorker(Application(), connections=20) as running:
        with running.connect(GET) as caller:
            assert caller.recv(1000).startswith(b"HTTP/1.1 200")
        assert running.alive
        # Any process holds more.
        running.max_memory_bytes = 1
        poll(lambda: not running.alive, 10, "the end of the worker")
        poll(application(running).parts.draining.is_set, 10, "the end of event streams")
