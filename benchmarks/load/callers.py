"""Act as the callers of the job benchmarks: remove synchronously, submit batches, download, poll."""

import http.client
import io
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks.load.client import percentile
from benchmarks.load.stack import BATCH_FILES, Stack, wait
from tests.support.gunicorn import Gunicorn

SINGLE = "/api/jobs/remove-bg"
BATCH = "/api/jobs/remove-bg-batch"
CLIENTS = 4
POLLERS = 4
BUSY_SECONDS = 0.5


def remove_synchronously(server: Gunicorn, files: Sequence[Path]) -> tuple[dict[str, bytes], float]:
    """Send the files to `/remove-background` from several threads; return each result, and the seconds."""

    def one(file: Path) -> tuple[str, bytes]:
        with file.open("rb") as opened:
            answer = requests.post(f"{server.url}/remove-background", files={"file": opened}, timeout=120)
        answer.raise_for_status()
        return file.stem, answer.content

    start = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        found = dict(pool.map(one, files))
    return found, time.monotonic() - start


def submit(server: Gunicorn, files: Sequence[Path]) -> list[str]:
    """Submit all files as batches; return the jobs' ids. While the server is busy (503), the batch is sent again."""
    ids = []
    for start in range(0, len(files), BATCH_FILES):
        parts = [("files", (file.name, file.read_bytes())) for file in files[start : start + BATCH_FILES]]
        while (answer := requests.post(server.url + BATCH, files=parts, timeout=120)).status_code == 503:
            wait(BUSY_SECONDS)
        answer.raise_for_status()
        ids.append(str(answer.json()["job_id"]))
    return ids


def download_results(server: Gunicorn, job_ids: Sequence[str]) -> dict[str, bytes]:
    """Return each result by its photograph's name, from the archives of the batches."""
    found: dict[str, bytes] = {}
    for job_id in job_ids:
        answer = requests.get(f"{server.url}/api/jobs/{job_id}/download", timeout=120)
        if answer.status_code != 200:
            continue
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".png")]
            found |= {name.removesuffix("-no-bg.png"): archive.read(name) for name in names}
    return found


def differing_results(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """Return the names whose results differ, or are missing on one side."""
    return sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))


def submission_cost(stack: Stack, files: Sequence[Path]) -> dict[str, object]:
    """Return how long a submission takes in addition to its upload, in ms. No worker may run.

    Each form is sent twice. An unknown option makes the first one fail after it has been read completely, so that its
    time is the upload's.
    """
    spans: dict[int, list[float]] = {400: [], 202: []}
    ids = []
    for file in files:
        for status, options in ((400, {"nothing": "x"}), (202, {})):
            body = {"file": (file.name, file.read_bytes())}
            start = time.perf_counter()
            answer = requests.post(stack.server.url + SINGLE, files=body, data=options, timeout=60)
            spans[status].append((time.perf_counter() - start) * 1000)
            if answer.status_code != status:
                raise RuntimeError(f"{answer.status_code}, not {status}: {answer.text[:300]}")
            ids += [answer.json()["job_id"]] if status == 202 else []
    for job_id in ids:
        requests.post(f"{stack.server.url}/api/jobs/{job_id}/cancel", timeout=10)
    beyond = [job - upload for upload, job in zip(spans[400], spans[202], strict=True)]
    return {
        "upload_median_ms": percentile(spans[400], 0.5),
        "submission_median_ms": percentile(spans[202], 0.5),
        "beyond_upload_median_ms": percentile(beyond, 0.5),
        "beyond_upload_p95_ms": percentile(beyond, 0.95),
    }


class Polls:
    """Collects the statuses and latencies (s) of polls."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.statuses: Counter[int | str] = Counter()
        self.seconds = 0.0

    def summary(self) -> dict[str, object]:
        """Return the rate, the percentiles and the number of each status."""
        return {
            "per_second": round(len(self.latencies) / max(self.seconds, 1e-9), 1),
            "median_ms": round((percentile(self.latencies, 0.5) or 0) * 1000, 1),
            "p95_ms": round((percentile(self.latencies, 0.95) or 0) * 1000, 1),
            "p99_ms": round((percentile(self.latencies, 0.99) or 0) * 1000, 1),
            "statuses": {str(status): count for status, count in self.statuses.items()},
        }


@contextmanager
def polled(server: Gunicorn, job_ids: Sequence[str], per_second: float) -> Iterator[Polls]:
    """Poll these jobs `per_second` times a second during the block, over `POLLERS` persistent connections."""
    polls, stop = Polls(), threading.Event()

    def poll(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        due, number = time.monotonic(), first
        while not stop.is_set():
            start = time.perf_counter()
            try:
                connection.request("GET", f"/api/jobs/{job_ids[number % len(job_ids)]}")
                answer = connection.getresponse()
                answer.read()
                status: int | str = answer.status
            except OSError as exc:
                status = type(exc).__name__
                connection.close()
            polls.latencies.append(time.perf_counter() - start)
            polls.statuses[status] += 1
            number += 1
            # A poller that is late catches up on one second at most.
            due = max(due + POLLERS / per_second, time.monotonic() - 1)
            stop.wait(max(0.0, due - time.monotonic()))
        connection.close()

    threads = [threading.Thread(target=poll, args=(number,)) for number in range(POLLERS)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        yield polls
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        polls.seconds = time.monotonic() - start
