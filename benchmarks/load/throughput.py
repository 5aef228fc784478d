"""Compare the throughput and the CPU time of jobs with those of synchronous requests, in one run."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from rich.console import Console

from benchmarks.load.callers import (
    differing_results,
    download_results,
    polled,
    remove_synchronously,
    submission_cost,
    submit,
)
from benchmarks.load.client import slope
from benchmarks.load.stack import Stack, resident_mb, wait

GOAL_RATIO = 0.9
GOAL_SUBMISSION_MS = 20.0
GOAL_POLLED_RATIO = 0.8
POLLS_PER_SECOND = 200.0
SUBMISSIONS = 40
# How often progress is checked.
POLL_SECONDS = 0.1
# Without progress for this long the run has failed.
STUCK_SECONDS = 120.0
SAMPLE_SECONDS = 1.0


def throughput(stack: Stack, files: Sequence[Path], console: Console) -> dict[str, Any]:
    """Return all figures, and `missed`: the goals that were not met."""
    found: dict[str, Any] = {"submission": submission_cost(stack, files[:SUBMISSIONS])}
    stack.start_worker()
    # Warm up: each child loads its model, each thread handles a first image.
    for warm_up in range(2):
        remove_synchronously(stack.server, files[:4])
        run_jobs(stack, files[: 4 + warm_up])
    half = len(files) // 2
    expected, seconds, spent = measure_synchronous(stack, files[:half])
    console.print(f"synchronous: {half / seconds:.2f}/s")
    with MemorySampler(stack) as memory:
        began = stack.cpu_seconds()
        job_ids, job_seconds = run_jobs(stack, files)
        ended = stack.cpu_seconds()
    console.print(f"jobs: {len(files) / job_seconds:.2f}/s")
    rest, more_seconds, more_spent = measure_synchronous(stack, files[half:])
    console.print(f"synchronous: {(len(files) - half) / more_seconds:.2f}/s")
    rate, synchronous_rate = len(files) / job_seconds, len(files) / (seconds + more_seconds)
    found |= {
        "jobs_per_s": round(rate, 3),
        "synchronous_per_s": [round(half / seconds, 3), round((len(files) - half) / more_seconds, 3)],
        "ratio": round(rate / synchronous_rate, 3),
        "cpu_ms_per_image_synchronous": per_image({n: spent[n] + more_spent[n] for n in spent}, len(files)),
        "cpu_ms_per_image_jobs": per_image({n: ended[n] - began[n] for n in ended}, len(files)),
        "children_busy": stack.busy_share(job_ids),
        "child_memory": memory.summary(),
    }
    different = differing_results(download_results(stack.server, job_ids), {**expected, **rest})
    found["different_results"] = different
    found["polled"] = run_jobs_while_polled(stack, files[: max(40, len(files) // 4)], rate)
    goals = {
        f"ratio below {GOAL_RATIO}": found["ratio"] >= GOAL_RATIO,
        "results differ": not different,
        f"a submission costs {GOAL_SUBMISSION_MS:g} ms or more": found["submission"]["beyond_upload_median_ms"]
        < GOAL_SUBMISSION_MS,
        "polls fail": set(found["polled"]["statuses"]) == {"200"},
    }
    return {**found, "missed": [goal for goal, met in goals.items() if not met]}


def measure_synchronous(stack: Stack, files: Sequence[Path]) -> tuple[dict[str, bytes], float, dict[str, float]]:
    """Return the results, the seconds, and the CPU seconds of each part."""
    began = stack.cpu_seconds()
    found, seconds = remove_synchronously(stack.server, files)
    ended = stack.cpu_seconds()
    return found, seconds, {name: ended[name] - began[name] for name in ended}


def run_jobs(stack: Stack, files: Sequence[Path]) -> tuple[list[str], float]:
    """Run the files as jobs; return the jobs' ids, and the seconds from the first upload to the last end."""
    before, start = stack.finished() or 0, time.monotonic()
    job_ids = submit(stack.server, files)
    wait_until_finished(stack, before + len(files))
    return job_ids, time.monotonic() - start


def wait_until_finished(stack: Stack, count: int) -> None:
    """Wait until `count` items are finished. Raises RuntimeError without progress for `STUCK_SECONDS`."""
    last, moved = -1, time.monotonic()
    while (done := stack.finished() or 0) < count:
        if done != last:
            last, moved = done, time.monotonic()
        if time.monotonic() - moved > STUCK_SECONDS:
            raise RuntimeError(f"stuck at {done} of {count}")
        wait(POLL_SECONDS)


def run_jobs_while_polled(stack: Stack, files: Sequence[Path], rate: float) -> dict[str, Any]:
    """Run the files as jobs under constant polling; compare the throughput with `rate`, the one without polling."""
    before, start = stack.finished() or 0, time.monotonic()
    job_ids = submit(stack.server, files)
    began = stack.cpu_seconds()["web"]
    with polled(stack.server, job_ids, POLLS_PER_SECOND) as polls:
        wait_until_finished(stack, before + len(files))
    polled_rate = len(files) / (time.monotonic() - start)
    spent = (stack.cpu_seconds()["web"] - began) / max(1, len(polls.latencies))
    figures = {"jobs_per_s": round(polled_rate, 3), "of_the_throughput_without": round(polled_rate / rate, 3)}
    return {**figures, "cpu_ms_per_poll": round(spent * 1000, 2), **polls.summary()}


def per_image(seconds: dict[str, float], images: int) -> dict[str, float]:
    """Return the CPU milliseconds per image of each part."""
    return {name: round(spent * 1000 / images, 1) for name, spent in seconds.items()}


class MemorySampler:
    """Samples the memory of the worker's children during the block."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._stop = stack, threading.Event()
        self._samples: dict[int, list[tuple[float, float]]] = {}
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def summary(self) -> list[dict[str, float]]:
        """Return for each child the mean MB of the first and the last quarter, the maximum, and the MB per minute."""
        rows = []
        for points in self._samples.values():
            if len(points) < 8:
                continue
            quarter, values = len(points) // 4, [mb for _, mb in points]
            first, last = sum(values[:quarter]) / quarter, sum(values[-quarter:]) / quarter
            row = {
                "first_quarter_mb": round(first, 1),
                "last_quarter_mb": round(last, 1),
                "most_mb": round(max(values), 1),
            }
            half = points[len(points) // 2 :]
            rows.append({**row, "mb_per_minute": slope(points), "mb_per_minute_second_half": slope(half)})
        return rows

    def _sample(self) -> None:
        start = time.monotonic()
        while not self._stop.wait(SAMPLE_SECONDS):
            for pid in self._stack.children():
                if (mb := resident_mb(pid)) is not None:
                    self._samples.setdefault(pid, []).append((time.monotonic() - start, mb))
