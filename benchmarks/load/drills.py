"""What happens when too much is asked of the service, or something breaks under it: `python -m benchmarks.load.drills`.

burst        100 requests at once on two places and a queue of eight
overload     so many minutes at 1.5 times the measured capacity, with images of mixed sizes
kill         a worker is killed with SIGKILL under load
descriptors  a limit of 64 open files
memory       /dev/shm, where the metrics are, fills up under load
logs         the disk of LOG_FILE fills up under load
tmp          the folder for temporary files is full
redis        Redis takes connections and never answers, under load
name         Redis' name no longer resolves, and the resolver hangs, under load

During each, health and metrics are asked for five times a second: all must answer within 100 ms (99th percentile). The
callers share the processors with the server, so latencies include the waiting for a processor on both sides.
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
from benchmarks.stages import RESULTS, photo
from tests.support.disks import fill, small_disks
from tests.support.gunicorn import HANGING_RESOLVER, Gunicorn
from tests.support.waiting import poll

SIZES = ((640, 480), (1024, 1024), (1600, 1200), (3000, 2000), (4000, 3000))
SECONDS = 15.0
NO_MOUNT = {"skipped": "file systems can't be mounted here (it takes root, and unshare)"}
console = Console()


def burst() -> dict[str, object]:
    request = post(photo(1024, 1024))
    with Gunicorn(MAX_RUNNING_IMAGES=2, MAX_WAITING_IMAGES=8) as server:
        outcomes, watcher = Outcomes(), Watcher(server)
        together = threading.Barrier(100)

        def one() -> None:
            together.wait()
            outcomes.send(server, request)

        run_all([one] * 100)
        lines = [json.loads(line) for line in server.log().splitlines() if '"busy"' in line]
        inside = [float(line["duration_ms"]) / 1000 for line in lines]  # without the hundred clients' own waiting
        return {**outcomes.summary(), "refused_inside_p95_s": percentile(inside, 0.95), **watcher.stop()}


def overload(minutes: float) -> dict[str, object]:
    with Gunicorn() as server:
        images = [post(photo(*size)) for size in SIZES]
        closed_loop(server, images, clients=4, seconds=5)  # warm
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
        # Neighbours come and go: the machine itself is not always as fast.
        capacity = (before + after) / 2
        share = {
            "capacity_per_s": [round(before, 2), round(after, 2)],
            "goodput_per_s": round(goodput, 2),
            "goodput_of_capacity": round(goodput / capacity, 3),
        }
        return {**share, **outcomes.summary(), **seen}


def closed_loop(server: Gunicorn, requests: list[bytes], clients: int, seconds: float) -> float:
    """Requests per second that so many clients get, each sending its next when it has its last."""
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
    """So many clients, each sending its next when it has its last, meanwhile."""
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
    """What callers and observers see while something breaks under load, and after it."""
    workers = server.workers()
    watcher = Watcher(server)
    with load(server) as outcomes:
        poll(lambda: len(outcomes.statuses) > 10)
        break_it()
        threading.Event().wait(SECONDS)
    return {**outcomes.summary(), "same_workers": server.workers() == workers, **watcher.stop()}


def kill() -> dict[str, object]:
    with Gunicorn(WEB_CONCURRENCY=2, MAX_WAITING_IMAGES=32) as server:
        return broken(server, lambda: os.kill(server.workers()[0], signal.SIGKILL))


def descriptors() -> dict[str, object]:
    request = post(photo(640, 480))
    with Gunicorn() as server:
        for pid in (server.process.pid, *server.workers()):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))
        # A reload: new workers, who find the limit.
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
    wrapper = small_disks("/dev/shm")
    if wrapper is None:
        return {**NO_MOUNT}
    with Gunicorn(wrapper=wrapper) as server:
        return broken(server, lambda: fill(server, "/dev/shm"))


def logs() -> dict[str, object]:
    with TemporaryDirectory() as folder:
        wrapper = small_disks(folder)
        if wrapper is None:
            return {**NO_MOUNT}
        with Gunicorn(wrapper=wrapper, LOG_FILE=f"{folder}/app.log") as server:
            found = broken(server, lambda: fill(server, folder))
            lines = [line for line in server.log().splitlines() if '"event":"request"' in line]
            return {**found, "lines_on_standard_error": len(lines)}


def tmp() -> dict[str, object]:
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
    # The kernel takes connections, and nobody ever answers.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(256)
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with Gunicorn(REDIS_URL=url, **QUOTAS) as server:
            return broken(server)


def name() -> dict[str, object]:
    with TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(HANGING_RESOLVER)
        with Gunicorn(REDIS_URL="redis://redis.example:6379/0", PYTHONPATH=folder, **QUOTAS) as server:
            return broken(server)


def main() -> None:
    """Run the drills named, or all, and write `results/drills.json`. Exits with 1 where an observer had to wait."""
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
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drills", nargs="*", default=list(drills), metavar="drill")
    parser.add_argument("--minutes", type=float, default=10.0, help="of overload")
    chosen = parser.parse_args()
    if unknown := set(chosen.drills) - set(drills):
        parser.error(f"there is no drill {', '.join(sorted(unknown))}")
    console.print("Callers and server share the processors of this machine: latencies include both sides' waiting.")
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
