"""Overload the service, or break something under load: `python -m benchmarks.load.drills`.

burst        100 simultaneous requests with two running places and a queue of eight
overload     requests at 1.5 times the measured capacity for --minutes, with images of mixed sizes
kill         a worker is killed with SIGKILL under load
descriptors  a limit of 64 open files
memory       /dev/shm, which holds the metrics, fills up under load
logs         the disk of LOG_FILE fills up under load
tmp          the folder for temporary files is full
redis        Redis accepts connections and never replies, under load
name         the resolver hangs on the name of Redis, under load
silent       26 and 200 connections that send nothing, a byte a second, or read nothing (health: within 1 s)

During each drill, health and metrics are polled five times a second: all must respond within 100 ms (99th percentile).
The clients share the processors with the server, so latencies include the wait for a processor on both sides.
"""

import argparse
import json
import os
import random
import resource
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from benchmarks.load.client import Outcomes, Watcher, percentile, post, run_all
from benchmarks.load.silent import COUNTS, KINDS, measure
from benchmarks.stages import RESULTS, photo
from tests.support.disks import fill, small_disks
from tests.support.gunicorn import HANGING_RESOLVER, Gunicorn
from tests.support.waiting import poll

SIZES = ((640, 480), (1024, 1024), (1600, 1200), (3000, 2000), (4000, 3000))
SECONDS = 15.0
NO_MOUNT = {"skipped": "file systems can't be mounted here (this needs root and unshare)"}
console = Console()


def burst() -> dict[str, object]:
    """Send 100 simultaneous requests to two places and a queue of eight."""
    request = post(photo(1024, 1024))
    with Gunicorn(MAX_RUNNING_IMAGES=2, MAX_WAITING_IMAGES=8) as server:
        outcomes, watcher = Outcomes(), Watcher(server)
        together = threading.Barrier(100)

        def one() -> None:
            together.wait()
            outcomes.send(server, request)

        run_all([one] * 100)
        lines = [json.loads(line) for line in server.log().splitlines() if '"busy"' in line]
        # The server's own durations: without the time that a hundred clients wait for a processor.
        inside = [float(line["duration_ms"]) / 1000 for line in lines]
        return {**outcomes.summary(), "refused_inside_p95_s": percentile(inside, 0.95), **watcher.stop()}


def overload(minutes: float) -> dict[str, object]:
    """Send requests at 1.5 times the measured capacity; return the goodput as a share of the capacity."""
    with Gunicorn() as server:
        images = [post(photo(*size)) for size in SIZES]
        # Warm up.
        closed_loop(server, images, clients=4, seconds=5)
        before = closed_loop(server, images, clients=4, seconds=20)
        outcomes, watcher, chance = Outcomes(), Watcher(server), random.Random(1)
        threads = []
        next_at = start = time.monotonic()
        while next_at < start + minutes * 60:
            threading.Event().wait(max(0.0, next_at - time.monotonic()))
            threads.append(threading.Thread(target=outcomes.send, args=(server, chance.choice(images))))
            threads[-1].start()
            next_at += chance.expovariate(1.5 * before)
        for thread in threads:
            thread.join()
        goodput = outcomes.statuses.count(200) / (time.monotonic() - start)
        seen = watcher.stop()
        after = closed_loop(server, images, clients=4, seconds=20)
        # The speed of a shared machine varies, so capacity is measured before and after.
        capacity = (before + after) / 2
        share = {
            "capacity_per_s": [round(before, 2), round(after, 2)],
            "goodput_per_s": round(goodput, 2),
            "goodput_of_capacity": round(goodput / capacity, 3),
        }
        return {**share, **outcomes.summary(), **seen}


def closed_loop(server: Gunicorn, requests: list[bytes], clients: int, seconds: float) -> float:
    """Return the requests per second of clients that each send one request after the other."""
    end, outcomes = time.monotonic() + seconds, Outcomes()

    def client(seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < end:
            outcomes.send(server, chance.choice(requests))

    start = time.monotonic()
    run_all([lambda seed=seed: client(seed) for seed in range(clients)])  # type: ignore[misc]
    return outcomes.statuses.count(200) / (time.monotonic() - start)


@contextmanager
def load(server: Gunicorn, clients: int = 3) -> Iterator[Outcomes]:
    """Keep the server under load during the block: each client sends one request after the other."""
    outcomes, stop, request = Outcomes(), threading.Event(), post(photo(1024, 1024))

    def client() -> None:
        while not stop.is_set():
            outcomes.send(server, request)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def broken(server: Gunicorn, break_it: Callable[[], object] = lambda: None) -> dict[str, object]:
    """Break something under load; return the outcomes of clients and observers."""
    workers = server.workers()
    watcher = Watcher(server)
    with load(server) as outcomes:
        poll(lambda: len(outcomes.statuses) > 10)
        break_it()
        threading.Event().wait(SECONDS)
    return {**outcomes.summary(), "same_workers": server.workers() == workers, **watcher.stop()}


def kill() -> dict[str, object]:
    """Kill one of two workers with SIGKILL."""
    with Gunicorn(WEB_CONCURRENCY=2, MAX_WAITING_IMAGES=32) as server:
        return broken(server, lambda: os.kill(server.workers()[0], signal.SIGKILL))


def descriptors() -> dict[str, object]:
    """Limit the server to 64 open files and send 120 simultaneous requests."""
    request = post(photo(640, 480))
    with Gunicorn() as server:
        for pid in (server.process.pid, *server.workers()):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))
        # Reload, so that new workers start under the limit.
        server.process.send_signal(signal.SIGHUP)
        old = server.workers()
        poll(lambda: server.workers() and not set(server.workers()) & set(old))
        poll(server.is_ready)
        outcomes, pids = Outcomes(), server.workers()
        run_all([lambda: outcomes.send(server, request)] * 120)
        after = Outcomes()
        after.send(server, request)
        return {**outcomes.summary(), "after": after.statuses, "same_workers": server.workers() == pids}


def memory() -> dict[str, object]:
    """Fill /dev/shm, which holds the metrics."""
    wrapper = small_disks("/dev/shm")
    if wrapper is None:
        return {**NO_MOUNT}
    with Gunicorn(wrapper=wrapper) as server:
        return broken(server, lambda: fill(server, "/dev/shm"))


def logs() -> dict[str, object]:
    """Fill the disk of the log file."""
    with TemporaryDirectory() as folder:
        wrapper = small_disks(folder)
        if wrapper is None:
            return {**NO_MOUNT}
        with Gunicorn(wrapper=wrapper, LOG_FILE=f"{folder}/app.log") as server:
            found = broken(server, lambda: fill(server, folder))
            lines = [line for line in server.log().splitlines() if '"event":"request"' in line]
            return {**found, "lines_on_standard_error": len(lines)}


def tmp() -> dict[str, object]:
    """Fill the folder for temporary files."""
    with TemporaryDirectory() as folder:
        wrapper = small_disks(folder)
        if wrapper is None:
            return {**NO_MOUNT}
        with Gunicorn(wrapper=wrapper, TMPDIR=folder) as server:
            return broken(server, lambda: fill(server, folder))


QUOTAS: dict[str, Any] = {
    "RATE_LIMIT_ENABLED": "true",
    "RATE_LIMIT_STORAGE": "redis",
    "RATE_LIMIT_REMOVE_BG_PER_HOUR": "1000000",
}


def redis() -> dict[str, object]:
    """Count quotas in a Redis that never replies."""
    # The kernel accepts connections, and no process reads them.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(256)
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with Gunicorn(REDIS_URL=url, **QUOTAS) as server:
            return broken(server)


def name() -> dict[str, object]:
    """Count quotas in a Redis whose name hangs the resolver."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(HANGING_RESOLVER)
        with Gunicorn(REDIS_URL="redis://redis.example:6379/0", PYTHONPATH=folder, **QUOTAS) as server:
            return broken(server)


def silent() -> dict[str, object]:
    """Hold connections of each kind that don't do their part."""
    found: dict[str, object] = {}
    for kind in KINDS:
        for count in COUNTS:
            found[f"{count} × {kind}"] = seen = measure(kind, count, photo(1024, 1024))
            console.print(f"[bold]{count} × {kind}[/]", seen)
            if seen["observers"] != "passed":
                found["observers"] = seen["observers"]
    return found


def main() -> None:
    """Run the named drills, or all; write `results/drills.json`. Exits with 1 if health or metrics were slow."""
    drills: dict[str, Callable[[], dict[str, object]]] = {
        "burst": burst,
        "overload": lambda: overload(chosen.minutes),
        "kill": kill,
        "descriptors": descriptors,
        "memory": memory,
        "logs": logs,
        "tmp": tmp,
        "redis": redis,
        "name": name,
        "silent": silent,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drills", nargs="*", default=list(drills), metavar="drill")
    parser.add_argument("--minutes", type=float, default=10.0, help="duration of overload")
    chosen = parser.parse_args()
    if unknown := set(chosen.drills) - set(drills):
        parser.error(f"there is no drill {', '.join(sorted(unknown))}")
    console.print("Clients and server share the processors of this machine: latencies include the waits of both.")
    results = {}
    for drill in chosen.drills:
        results[drill] = drills[drill]()
        console.print(f"[bold]{drill}[/]", results[drill])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "drills.json").write_text(json.dumps(results, indent=1))
    verdicts = Counter(str(found.get("observers", "passed")) for found in results.values())
    sys.exit(0 if set(verdicts) <= {"passed"} else 1)


if __name__ == "__main__":
    main()
