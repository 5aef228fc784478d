"""Send requests at little cost, since the client shares the processors with the server that it measures.

Requests are built in advance; responses are read into one buffer and discarded.
"""

import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import requests

from tests.support.gunicorn import Gunicorn

PATHS = ("/health/live", "/health/ready", "/health", "/metrics")
EVERY_SECONDS = 0.2
GOAL_SECONDS = 0.1
WARM_UP_SECONDS = 30
TIMEOUT_SECONDS = 90


def post(data: bytes, path: str = "/remove-background", kind: str = "image/jpeg") -> bytes:
    """Return a complete HTTP request as bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


def exchange(port: int, request: bytes) -> int | str:
    """Send a request; return the response's status, or the name of the error."""
    buffer = bytearray(1 << 18)
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
            connection.sendall(request)
            start, status = connection.recv_into(buffer), bytes(buffer[9:12])
            while connection.recv_into(buffer):
                pass
    except OSError as exc:
        return type(exc).__name__
    return int(status) if start >= 12 else "closed without an answer"


@dataclass
class Outcomes:
    """Collects statuses and latencies of many requests. Thread-safe, since `list.append` is atomic."""

    statuses: list[int | str] = field(default_factory=list)
    admitted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def send(self, server: Gunicorn, request: bytes) -> None:
        """Send a request and record its outcome."""
        start = time.perf_counter()
        status = exchange(server.port, request)
        self.statuses.append(status)
        (self.admitted if status == 200 else self.refused).append(time.perf_counter() - start)

    def summary(self) -> dict[str, object]:
        return {
            "statuses": dict(Counter(map(str, self.statuses))),
            "admitted_p95_s": percentile(self.admitted, 0.95),
            "refused_p95_s": percentile(self.refused, 0.95),
        }


class Watcher:
    """Polls health and metrics in background threads during a drill, and samples the server's memory."""

    def __init__(self, server: Gunicorn) -> None:
        self.latencies: dict[str, list[float]] = {path: [] for path in PATHS}
        # How late each poll started: the time that this process waited for a processor.
        self.late: list[float] = []
        self.lost: Counter[str] = Counter()
        self.memory: list[tuple[float, float]] = []
        self._server, self._stop = server, threading.Event()
        jobs = [threading.Thread(target=self._ask, args=(path,)) for path in PATHS]
        self._threads = [*jobs, threading.Thread(target=self._weigh)]
        for thread in self._threads:
            thread.start()

    def _ask(self, path: str) -> None:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        due = time.perf_counter() + EVERY_SECONDS
        while not self._stop.wait(EVERY_SECONDS):
            start = time.perf_counter()
            self.late.append(start - due)
            status = exchange(self._server.port, request)
            self.latencies[path].append(time.perf_counter() - start)
            if not isinstance(status, int) or (status != 200 and path in ("/health/live", "/metrics")):
                self.lost[f"{path} {status}"] += 1
            due = time.perf_counter() + EVERY_SECONDS

    def _weigh(self) -> None:
        start = time.monotonic()
        while not self._stop.wait(5):
            try:
                self.memory.append((time.monotonic() - start, resident_mb(self._server)))
            except requests.RequestException:
                continue

    def stop(self) -> dict[str, object]:
        """Stop; return the milliseconds by path, the verdict, and the memory's growth in megabytes a minute."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        found: dict[str, object] = {
            path: {
                "median_ms": _ms(percentile(seen, 0.5)),
                "p99_ms": _ms(percentile(seen, 0.99)),
                "max_ms": _ms(max(seen)),
                "asked": len(seen),
            }
            for path, seen in self.latencies.items()
            if seen
        }
        slowest = max(percentile(seen, 0.99) or 0.0 for seen in self.latencies.values())
        found["observers"] = "passed" if slowest < GOAL_SECONDS else f"FAILED: {slowest * 1000:.0f} ms at p99"
        found["callers_own_wait_for_a_processor"] = {
            "p99_ms": _ms(percentile(self.late, 0.99)),
            "max_ms": _ms(max(self.late, default=0.0)),
        }
        if self.lost:
            found["unanswered"] = dict(self.lost)
        late = [(at, mb) for at, mb in self.memory if at > WARM_UP_SECONDS]
        if len(late) > 5:
            half = late[len(late) // 2 :]
            found |= {
                "memory_mb_per_minute": slope(late),
                "memory_mb_per_minute_second_half": slope(half),
                "memory_mb_last": round(late[-1][1]),
                "memory_mb_most": round(max(mb for _, mb in late)),
            }
        return found


def slope(points: list[tuple[float, float]]) -> float:
    """Return the change per minute of (second, value) points, by least squares."""
    minutes, values = [at / 60 for at, _ in points], [value for _, value in points]
    return round(statistics.linear_regression(minutes, values).slope, 2)


def resident_mb(server: Gunicorn) -> float:
    """Return the resident memory of the server's processes, from its metrics."""
    body = requests.get(f"{server.url}/api/metrics", timeout=30).json()
    return float(body["bg_remover_resident_bytes"][0]["value"]) / 2**20


def percentile(values: list[float], share: float) -> float | None:
    """Return the percentile, `share` from 0 to 1; None without values."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 4) if ordered else None


def run_all(jobs: list[Callable[[], None]]) -> None:
    """Run the functions in parallel threads and wait for all of them."""
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _ms(seconds: float | None) -> float:
    return round((seconds or 0.0) * 1000, 1)
