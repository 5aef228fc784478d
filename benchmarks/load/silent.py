"""Hold connections that don't do their part, and measure how health and honest callers fare meanwhile."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import requests

from benchmarks.load.client import Outcomes, exchange, percentile, post
from tests.support.gunicorn import Gunicorn

SECONDS: Final = 15.0
COUNTS: Final = (26, 200)
HEALTH: Final = ("/health/live", "/health")
HEALTH_GOAL_SECONDS: Final = 1.0
# Another address than that of honest callers.
ADDRESS: Final = "127.0.0.2"
LARGE: Final = "/docs/assets/js/swagger-ui-bundle.js"
# An upload over a slow line: pieces of this size, this far apart.
PIECE_BYTES: Final = 16_384
PIECE_SECONDS: Final = 0.25

HEAD: Final = b"POST /remove-background HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
BODY: Final = HEAD + b"Content-Length: 100000\r\n\r\n"
# The first bytes of each kind, and whether a byte a second follows.
KINDS: Final[dict[str, tuple[bytes, bool]]] = {
    "nothing": (b"", False),
    "header byte a second": (HEAD, True),
    "body byte a second": (BODY, True),
    # More than the system's buffers hold.
    "read nothing": (8 * f"GET {LARGE} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), False),
}


def stall(port: int, kind: str) -> socket.socket:
    """Open one connection of the kind."""
    with contextlib.ExitStack() as opening:
        connection = opening.enter_context(socket.socket())
        # Small, so that the response does not fit.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.bind((ADDRESS, 0))
        connection.settimeout(10)
        connection.connect(("127.0.0.1", port))
        connection.sendall(KINDS[kind][0])
        # With a timeout, `is_closed` would wait for it.
        connection.settimeout(None)
        opening.pop_all()
    return connection


@contextmanager
def stalled(port: int, kind: str, count: int) -> Iterator[None]:
    """Keep `count` connections of the kind open during the block; a closed one is opened again."""
    stop = threading.Event()

    def hold(connections: contextlib.ExitStack) -> None:
        held: dict[int, socket.socket] = {}
        while not stop.is_set():
            for number in range(count):
                with contextlib.suppress(OSError):
                    if number not in held or is_closed(held[number]):
                        if number in held:
                            held.pop(number).close()
                        held[number] = connections.enter_context(stall(port, kind))
                    elif KINDS[kind][1]:
                        held[number].sendall(b"x")
            stop.wait(1)

    def run() -> None:
        with contextlib.ExitStack() as connections:
            hold(connections)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def is_closed(connection: socket.socket) -> bool:
    """Return whether the server has closed or reset the connection."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def upload_slowly(port: int, request: bytes, piece_bytes: int = PIECE_BYTES) -> int | str:
    """Send the request in small pieces, as over a slow line; return the status or the error's name."""
    try:
        with socket.create_connection(("127.0.0.1", port), 90) as connection:
            for start in range(0, len(request), piece_bytes):
                connection.sendall(request[start : start + piece_bytes])
                time.sleep(PIECE_SECONDS)
            return int(connection.recv(12)[9:])
    except (OSError, ValueError) as exc:
        return type(exc).__name__


def measure(kind: str, count: int, image: bytes) -> dict[str, object]:
    """Return the latencies of health and the outcomes of honest callers, under `count` connections of the kind."""
    with Gunicorn() as server, stalled(server.port, kind, count):
        # All of them are there.
        time.sleep(2)
        latencies: dict[str, list[float]] = {path: [] for path in HEALTH}
        lost: list[str] = []
        uploads, slow = Outcomes(), Outcomes()
        end = time.monotonic() + SECONDS

        def ask(path: str) -> None:
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            while time.monotonic() < end:
                start = time.perf_counter()
                if (status := exchange(server.port, request)) != 200:
                    lost.append(f"{path} {status}")
                latencies[path].append(time.perf_counter() - start)
                time.sleep(0.2)

        def upload() -> None:
            while time.monotonic() < end:
                uploads.send(server, post(image))

        def upload_over_a_poor_line() -> None:
            slow.statuses.append(upload_slowly(server.port, post(image)))

        def keep_alive() -> None:
            with requests.Session() as session:
                while time.monotonic() < end:
                    try:
                        kept.append(session.get(f"{server.url}/models", timeout=90).status_code)
                    except requests.RequestException as exc:
                        kept.append(type(exc).__name__)
                    time.sleep(0.5)

        kept: list[int | str] = []
        jobs: list[Callable[[], None]] = [lambda path=path: ask(path) for path in HEALTH]  # type: ignore[misc]
        run = [threading.Thread(target=job) for job in (*jobs, upload, upload_over_a_poor_line, keep_alive)]
        for thread in run:
            thread.start()
        for thread in run:
            thread.join()
        return _observed(latencies, lost) | {
            "uploads": uploads.summary(),
            "slow_upload": slow.statuses,
            "keep_alive": {str(status): kept.count(status) for status in kept},
        }


def _observed(latencies: Mapping[str, list[float]], lost: Sequence[str]) -> dict[str, object]:
    """Describe what health checks saw, and whether that is good enough."""
    found: dict[str, object] = {
        path: {"p50_s": percentile(seen, 0.5), "max_s": round(max(seen), 3), "asked": len(seen)}
        for path, seen in latencies.items()
    }
    worst = max(max(seen) for seen in latencies.values())
    passed = worst < HEALTH_GOAL_SECONDS and not lost
    return found | {"observers": "passed" if passed else f"FAILED: {worst:.1f} s", "lost": lost}
