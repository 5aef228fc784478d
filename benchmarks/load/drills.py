"""What happens when too much is asked of the service, or something breaks under it: `python -m benchmarks.load.drills`.

burst        100 requests at once on two places and a queue of eight
overload     so many minutes at 1.5 times the measured capacity, with images of mixed sizes
kill         a worker is killed with SIGKILL under load
descriptors  a limit of 64 open files
disk         no folder for temporary files
"""

import argparse
import json
import os
import random
import resource
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from rich.console import Console

from benchmarks.stages import RESULTS, photo
from tests.servers import Gunicorn, poll

SIZES = ((640, 480), (1024, 1024), (1600, 1200), (3000, 2000), (4000, 3000))
HEALTH_SECONDS = 0.1
console = Console()


@dataclass
class Outcomes:
    """Statuses and latencies of many requests; thread-safe by the GIL's atomic appends."""

    statuses: list[int | str] = field(default_factory=list)
    admitted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def post(self, url: str, data: bytes) -> None:
        start = time.perf_counter()
        try:
            status: int | str = requests.post(
                url, data=data, headers={"Content-Type": "image/jpeg"}, timeout=90
            ).status_code
        except requests.RequestException as exc:
            status = type(exc).__name__
        self.statuses.append(status)
        (self.admitted if status == 200 else self.refused).append(time.perf_counter() - start)

    def summary(self) -> dict[str, object]:
        return {
            "statuses": dict(Counter(map(str, self.statuses))),
            "admitted_p95_s": percentile(self.admitted, 0.95),
            "refused_p95_s": percentile(self.refused, 0.95),
        }


class Watcher:
    """Asks for health and memory while a drill runs."""

    def __init__(self, server: Gunicorn) -> None:
        self.latencies: list[float] = []
        self.memory: list[tuple[float, float]] = []
        self._server, self._stop = server, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        start = time.monotonic()
        while not self._stop.wait(0.5):
            begun = time.perf_counter()
            requests.get(f"{self._server.url}/health/ready", timeout=30)
            self.latencies.append(time.perf_counter() - begun)
            if len(self.latencies) % 10 == 0:
                self.memory.append((time.monotonic() - start, resident_mb(self._server)))

    def stop(self) -> dict[str, object]:
        self._stop.set()
        self._thread.join()
        found: dict[str, object] = {
            "health_median_s": round(statistics.median(self.latencies), 4) if self.latencies else None,
            "health_p95_s": percentile(self.latencies, 0.95),
        }
        late = [(at, mb) for at, mb in self.memory if at > 30]
        if len(late) > 5:
            slope = statistics.linear_regression([at / 60 for at, _ in late], [mb for _, mb in late]).slope
            found |= {"memory_mb_per_minute": round(slope, 2), "memory_mb_last": round(late[-1][1])}
        return found


def resident_mb(server: Gunicorn) -> float:
    body = requests.get(f"{server.url}/api/metrics", timeout=30).json()
    return float(body["bg_remover_resident_bytes"][0]["value"]) / 2**20


def percentile(values: list[float], share: float) -> float | None:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 3) if ordered else None


def burst() -> dict[str, object]:
    data = photo(1024, 1024)
    with Gunicorn(MAX_RUNNING_IMAGES=2, MAX_WAITING_IMAGES=8) as server:
        outcomes, watcher = Outcomes(), Watcher(server)
        together = threading.Barrier(100)

        def one() -> None:
            together.wait()
            outcomes.post(f"{server.url}/remove-background", data)

        run_all([one] * 100)
        lines = [json.loads(line) for line in server.log().splitlines() if '"busy"' in line]
        inside = [float(line["duration_ms"]) / 1000 for line in lines]  # without the hundred clients' own waiting
        return {**outcomes.summary(), "refused_inside_p95_s": percentile(inside, 0.95), **watcher.stop()}


def overload(minutes: float) -> dict[str, object]:
    images = [photo(*size) for size in SIZES]
    with Gunicorn() as server:
        url = f"{server.url}/remove-background"
        capacity = closed_loop(url, images, clients=4, seconds=20)
        outcomes, watcher, chance = Outcomes(), Watcher(server), random.Random(1)
        end, threads = time.monotonic() + minutes * 60, []
        next_at = start = time.monotonic()
        while next_at < end:
            threading.Event().wait(max(0.0, next_at - time.monotonic()))
            threads.append(threading.Thread(target=outcomes.post, args=(url, chance.choice(images))))
            threads[-1].start()
            next_at += chance.expovariate(1.5 * capacity)
        for thread in threads:
            thread.join()
        goodput = outcomes.statuses.count(200) / (time.monotonic() - start)
        share = {
            "capacity_per_s": round(capacity, 2),
            "goodput_per_s": round(goodput, 2),
            "goodput_of_capacity": round(goodput / capacity, 3),
        }
        return {**share, **outcomes.summary(), **watcher.stop()}


def closed_loop(url: str, images: list[bytes], clients: int, seconds: float) -> float:
    """Requests per second that so many clients get, each sending its next when it has its last."""
    end, outcomes = time.monotonic() + seconds, Outcomes()

    def client(seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < end:
            outcomes.post(url, chance.choice(images))

    start = time.monotonic()
    run_all([lambda seed=seed: client(seed) for seed in range(clients)])  # type: ignore[misc]
    return outcomes.statuses.count(200) / (time.monotonic() - start)


def kill() -> dict[str, object]:
    data = photo(1024, 1024)
    with Gunicorn(WEB_CONCURRENCY=2, MAX_WAITING_IMAGES=32) as server:
        outcomes, url = Outcomes(), f"{server.url}/remove-background"
        stop = threading.Event()

        def client() -> None:
            while not stop.is_set():
                outcomes.post(url, data)

        threads = [threading.Thread(target=client) for _ in range(6)]
        for thread in threads:
            thread.start()
        poll(lambda: len(outcomes.statuses) > 20)
        held = Counter(outcomes.statuses)
        os.kill(server.workers()[0], signal.SIGKILL)
        before = len(outcomes.statuses)
        poll(lambda: len(outcomes.statuses) > before + 40, 120)
        stop.set()
        for thread in threads:
            thread.join()
        return {"before": dict(held), **outcomes.summary(), "workers_after": len(server.workers())}


def descriptors() -> dict[str, object]:
    data = photo(640, 480)
    with Gunicorn() as server:
        for pid in (server.process.pid, *server.workers()):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))
        server.process.send_signal(signal.SIGHUP)  # a reload: new workers, who find the limit
        old = server.workers()
        poll(lambda: server.workers() and not set(server.workers()) & set(old))
        poll(server.is_ready)
        outcomes, pids = Outcomes(), server.workers()
        run_all([lambda: outcomes.post(f"{server.url}/remove-background", data)] * 120)
        after = Outcomes()
        after.post(f"{server.url}/remove-background", data)
        return {**outcomes.summary(), "after": after.statuses, "same_workers": server.workers() == pids}


def disk() -> dict[str, object]:
    """No folder for temporary files at all: uploads stay in memory, so nothing changes."""
    with TemporaryDirectory() as folder, Gunicorn(TMPDIR=folder) as server:
        Path(folder).rmdir()
        large, small = photo(4000, 3000), photo(640, 480)
        url = f"{server.url}/remove-background"
        statuses = [requests.post(url, files={"file": data}, timeout=60).status_code for data in (large, small)]
        Path(folder).mkdir()
        return {"large_as_form": statuses[0], "small": statuses[1]}


def run_all(jobs: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Run the drills named, or all, and write `results/drills.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drills", nargs="*", default=["burst", "overload", "kill", "descriptors", "disk"])
    parser.add_argument("--minutes", type=float, default=10.0, help="of overload")
    chosen = parser.parse_args()
    drills: dict[str, Callable[[], dict[str, object]]] = {
        "burst": burst,
        "overload": lambda: overload(chosen.minutes),
        "kill": kill,
        "descriptors": descriptors,
        "disk": disk,
    }
    results = {}
    for name in chosen.drills:
        results[name] = drills[name]()
        console.print(f"[bold]{name}[/]", results[name])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "drills.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
