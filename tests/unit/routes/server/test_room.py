"""Which connections a full worker closes for new ones."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from routes.server import web_worker
from tests.support.waiting import poll
from tests.support.web_worker import CLOCKS, RunningWorker, is_closed

# They wait until a connection is no longer new.
pytestmark = pytest.mark.slow
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HELD = b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
HALF = bytes(30_000)
NEW_SECONDS = 0.5
release = threading.Event()


def answer(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Read the body; /held waits for `release`."""
    environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/held":
        release.wait(20)
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningWorker]:
    """A worker with twenty connections, which no clock ends."""
    release.clear()
    for module, name in CLOCKS:
        monkeypatch.setattr(module, name, 60)
    monkeypatch.setattr(web_worker, "NEW_SECONDS", NEW_SECONDS)
    with RunningWorker(answer, connections=20) as running:
        yield running
        release.set()


@pytest.fixture
def upload(worker: RunningWorker) -> Iterator[socket.socket]:
    """An upload of which half has arrived, and which is no longer new."""
    with worker.connect(POST + HALF) as caller:
        grow_old()
        yield caller


def grow_old() -> None:
    """Wait until no connection is new."""
    threading.Event().wait(NEW_SECONDS + 0.1)


def is_answered(caller: socket.socket, sent: bytes) -> bool:
    """Send the bytes; return whether the answer is a success."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        caller.sendall(sent)
        return b" 200 OK" in caller.recv(4096)
    return False


def test_silent_connections_make_room_for_new_ones(worker: RunningWorker) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(worker.connect(b"", "127.0.0.2")) for _ in range(19)]
        poll(lambda: worker.nr_conns == 19)
        grow_old()
        for _ in range(19):
            with worker.connect() as caller:
                assert is_answered(caller, GET)
        assert is_closed(silent[0])
        assert worker.nr_conns <= 20


def test_upload_outlasts_silent_connections(worker: RunningWorker, upload: socket.socket) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(worker.connect(b"GET /"))
        poll(lambda: worker.nr_conns == 19)
        assert is_answered(upload, HALF)


def test_upload_outlasts_the_queue_of_a_peer_that_has_half_of_all_connections(
    worker: RunningWorker, upload: socket.socket
) -> None:
    with contextlib.ExitStack() as stack:
        queued = [stack.enter_context(worker.connect(HELD, "127.0.0.2")) for _ in range(40)]
        poll(lambda: len(worker.busy) == 8 and worker.nr_conns == 19)
        assert is_closed(queued[30])
        release.set()
        assert is_answered(upload, HALF)
        assert is_answered(queued[0], b"")


def test_upload_outlasts_connections_that_are_kept_alive(worker: RunningWorker, upload: socket.socket) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(12):
            kept = stack.enter_context(worker.connect(address=f"127.0.0.{number + 10}"))
            assert is_answered(kept, GET)
        for number in range(7):
            stack.enter_context(worker.connect(HELD, f"127.0.0.{number + 30}"))
        poll(lambda: len(worker.busy) == 7 and worker.nr_conns == 19)
        assert is_answered(upload, HALF)


def test_request_outlasts_connections_of_its_peer_that_are_kept_alive(worker: RunningWorker) -> None:
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(worker.connect()) for _ in range(6)]
        assert all(is_answered(caller, GET) for caller in kept)
        queued = [stack.enter_context(worker.connect(HELD)) for _ in range(19)]
        poll(lambda: worker.nr_conns == 19 and not worker.keepalived_conns)
        assert is_closed(kept[0])
        release.set()
        assert is_answered(queued[0], b"")
        assert is_answered(queued[17], b"")


def test_new_connection_outlasts_the_slowest_of_many_uploads(worker: RunningWorker, upload: socket.socket) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(18):
            stack.enter_context(worker.connect(POST + HALF + HALF[1:], f"127.0.0.{number + 10}"))
        poll(lambda: len(worker.waiting) == 19)
        grow_old()
        with worker.connect(address="127.0.0.3") as caller:
            assert is_answered(caller, GET)
        assert is_closed(upload)


def test_upload_outlasts_new_connections_of_a_peer_that_has_half(worker: RunningWorker, upload: socket.socket) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(worker.connect(b"", "127.0.0.2"))
        poll(lambda: worker.nr_conns == 19)
        assert is_answered(upload, HALF)
