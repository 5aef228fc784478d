import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from routes.server import polling_worker
from routes.server.connection import FIRST_BYTES
from tests.support.waiting import poll
from tests.support.web_worker import RunningWorker

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
STARTED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + bytes(FIRST_BYTES)
release = threading.Event()


def answer(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Read the body, except under /refused; /slow waits for `release`."""
    if environ["PATH_INFO"] == "/slow":
        release.wait(20)
    body = b"" if environ["PATH_INFO"] == "/refused" else environ["wsgi.input"].read()
    text = b"%d" % len(body)
    status = "413 Content Too Large" if environ["PATH_INFO"] == "/refused" else "200 OK"
    start_response(status, [("Content-Length", str(len(text)))])
    return [text]


@pytest.fixture
def worker() -> Iterator[RunningWorker]:
    release.clear()
    with RunningWorker(answer) as running:
        yield running
        release.set()


def read(connection: socket.socket, end: bytes = b"") -> bytes:
    """Read until the bytes end so, or the connection is closed."""
    received = b""
    while not (end and received.endswith(end)) and (data := connection.recv(65536)):
        received += data
    return received


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"])
def test_unfinished_requests_hold_no_thread(worker: RunningWorker, sent: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(worker.connect(sent))
        poll(lambda: len(worker.waiting) == 30)
        assert not worker.busy
        with worker.connect(GET) as caller:
            assert read(caller, b"\r\n\r\n0").startswith(b"HTTP/1.1 200 OK")


def test_request_in_single_bytes_is_answered(worker: RunningWorker) -> None:
    with worker.connect() as caller:
        for byte in b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc":
            caller.sendall(bytes([byte]))
        assert read(caller, b"\r\n\r\n3")


def test_pipelined_requests_are_answered_in_order(worker: RunningWorker) -> None:
    post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    with worker.connect(post % 5 + b"12345" + GET + post % 100_000 + bytes(100_000) + GET[:10]) as caller:
        received = read(caller, b"100000")
        assert [part.rpartition(b"\r\n")[2] for part in received.split(b"HTTP/1.1 200 OK")[1:]] == [
            b"5",
            b"0",
            b"100000",
        ]
        caller.sendall(GET[10:])
        assert read(caller, b"\r\n\r\n0")


def test_chunked_body_keeps_its_connection(worker: RunningWorker) -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with worker.connect(chunked) as caller:
        received = read(caller, b"\r\n\r\n3")
        assert b"Connection: keep-alive" in received
        caller.sendall(chunked)
        assert read(caller, b"\r\n\r\n3")


def test_one_peer_has_only_a_share_of_threads_for_unfinished_bodies(worker: RunningWorker) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(worker.connect(STARTED, "127.0.0.2"))
        poll(lambda: len(worker.busy) + len(worker.ready) == 20)
        assert len(worker.busy) == worker.share == 2
        # Others, and whole requests of the same peer, are not held up.
        for address in ("127.0.0.1", "127.0.0.2"):
            with worker.connect(GET, address) as caller:
                assert read(caller, b"\r\n\r\n0")
        with worker.connect(STARTED + bytes(200_000 - FIRST_BYTES)) as caller:
            assert read(caller, b"\r\n\r\n200000")


def test_a_proxy_has_no_share(worker: RunningWorker) -> None:
    worker.is_behind_proxy = True
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(worker.connect(STARTED))
        poll(lambda: len(worker.busy) == 6)


def test_health_is_answered_while_every_thread_is_busy(worker: RunningWorker) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(worker.connect(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"))
        poll(lambda: len(worker.ready) == 4)
        with worker.connect(HEALTH) as caller:
            assert read(caller, b"\r\n\r\n0")


def test_queued_requests_start_in_turn_between_peers(worker: RunningWorker) -> None:
    slow = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(worker.connect(slow, "127.0.0.2"))
        poll(lambda: len(worker.ready) == 12)
        stack.enter_context(worker.connect(slow, "127.0.0.3"))
        poll(lambda: len(worker.ready) == 13)
        following = worker.next_ready
        worker.cfg.set("threads", 9)
        poll(lambda: following() is not None)
        assert following().peer == "127.0.0.3"  # type: ignore[union-attr]


def test_refused_body_is_answered_at_once_without_100_continue(worker: RunningWorker) -> None:
    head = b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n"
    with worker.connect(head + b"Expect: 100-continue\r\n\r\n") as caller:
        received = read(caller)
        assert received.startswith(b"HTTP/1.1 413 ")
        assert b"Connection: close" in received
        assert b"100 Continue" not in received


def test_accepted_body_gets_100_continue(worker: RunningWorker) -> None:
    with worker.connect(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n") as caller:
        assert read(caller, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.sendall(b"ok")
        assert read(caller, b"\r\n\r\n2").startswith(b"HTTP/1.1 200 OK")


def test_caller_reads_the_refusal_of_a_body_that_it_is_still_sending(worker: RunningWorker) -> None:
    with worker.connect(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n") as caller:
        caller.sendall(bytes(20_000_000))
        assert read(caller).startswith(b"HTTP/1.1 413 ")


def test_discarding_a_refused_body_is_bounded(worker: RunningWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling_worker, "LINGER_BYTES", 100_000)
    with worker.connect(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n") as caller:
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            caller.sendall(bytes(1_000_000_000))
        poll(lambda: worker.nr_conns == 0)


@pytest.mark.slow
def test_callers_that_keep_closed_connections_delay_nobody(worker: RunningWorker) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            caller = stack.enter_context(worker.connect(GET.replace(b"Host: x", b"Host: x\r\nConnection: close")))
            assert read(caller).startswith(b"HTTP/1.1 200 OK")
        start = time.monotonic()
        with worker.connect(GET) as caller:
            assert read(caller, b"\r\n\r\n0")
        assert time.monotonic() - start < 1
        poll(lambda: not worker.lingering, 10)


def test_header_without_end_is_refused(worker: RunningWorker) -> None:
    with worker.connect(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 12_000) as caller:
        assert read(caller).startswith(b"HTTP/1.1 431 ")
