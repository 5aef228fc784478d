"""How fast jobs are beside the same images at once, on the same processors in the same run, and what they cost."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from rich.console import Console

from benchmarks.load.callers import at_once, differing, downloaded, hand_in, polled, submission_cost
from benchmarks.load.client import slope
from benchmarks.load.stack import Stack, resident_mb, wait

GOAL_RATIO = 0.9
GOAL_SUBMISSION_MS = 20.0
GOAL_POLLED_RATIO = 0.8
POLLS_PER_SECOND = 200.0
SUBMISSIONS = 40
LOOK_SECONDS = 0.1
STUCK_SECONDS = 120.0
WEIGH_SECONDS = 1.0


def throughput(stack: Stack, files: Sequence[Path], console: Console) -> dict[str, Any]:
    """All figures, and `missed`: the goals that were."""
    found: dict[str, Any] = {"submission": submission_cost(stack, files[:SUBMISSIONS])}
    stack.start_worker()
    # Each child's model, each thread's first image.
    for warm_up in range(2):
        at_once(stack.server, files[:4])
        as_jobs(stack, files[: 4 + warm_up])
    half = len(files) // 2
    expected, seconds, spent = measured_at_once(stack, files[:half])
    console.print(f"at once: {half / seconds:.2f}/s")
    with Weighing(stack) as memory:
        began = stack.cpu_seconds()
        job_ids, job_seconds = as_jobs(stack, files)
        ended = stack.cpu_seconds()
    console.print(f"as jobs: {len(files) / job_seconds:.2f}/s")
    rest, more_seconds, more_spent = measured_at_once(stack, files[half:])
    console.print(f"at once: {(len(files) - half) / more_seconds:.2f}/s")
    rate, at_once_rate = len(files) / job_seconds, len(files) / (seconds + more_seconds)
    found |= {
        "jobs_per_s": round(rate, 3),
        "at_once_per_s": [round(half / seconds, 3), round((len(files) - half) / more_seconds, 3)],
        "ratio": round(rate / at_once_rate, 3),
        "cpu_ms_per_image_at_once": per_image({n: spent[n] + more_spent[n] for n in spent}, len(files)),
        "cpu_ms_per_image_as_jobs": per_image({n: ended[n] - began[n] for n in ended}, len(files)),
        "children_busy": stack.busy_share(job_ids),
        "child_memory": memory.summary(),
    }
    different = differing(downloaded(stack.server, job_ids), {**expected, **rest})
    found["different_results"] = different
    found["polled"] = while_polled(stack, files[: max(40, len(files) // 4)], rate)
    goals = {
        f"ratio below {GOAL_RATIO}": found["ratio"] >= GOAL_RATIO,
        "results differ": not different,
        f"handing in costs {GOAL_SUBMISSION_MS:g} ms or more": found["submission"]["beyond_upload_median_ms"]
        < GOAL_SUBMISSION_MS,
        "polls fail": set(found["polled"]["statuses"]) == {"200"},
    }
    return {**found, "missed": [goal for goal, met in goals.items() if not met]}


def measured_at_once(stack: Stack, files: Sequence[Path]) -> tuple[dict[str, bytes], float, dict[str, float]]:
    """Results, seconds, and each part's processor seconds."""
    began = stack.cpu_seconds()
    found, seconds = at_once(stack.server, files)
    ended = stack.cpu_seconds()
    return found, seconds, {name: ended[name] - began[name] for name in ended}


def as_jobs(stack: Stack, files: Sequence[Path]) -> tuple[list[str], float]:
    """The files through the workers: the jobs' ids, and the seconds from the first upload to the last end."""
    before, start = stack.finished() or 0, time.monotonic()
    job_ids = hand_in(stack.server, files)
    until_finished(stack, before + len(files))
    return job_ids, time.monotonic() - start


def until_finished(stack: Stack, count: int) -> None:
    """Raises RuntimeError when nothing has moved for long."""
    last, moved = -1, time.monotonic()
    while (done := stack.finished() or 0) < count:
        if done != last:
            last, moved = done, time.monotonic()
        if time.monotonic() - moved > STUCK_SECONDS:
            raise RuntimeError(f"stuck at {done} of {count}")
        wait(LOOK_SECONDS)


def while_polled(stack: Stack, files: Sequence[Path], rate: float) -> dict[str, Any]:
    """Throughput while the jobs are asked for all the time, beside the one without."""
    before, start = stack.finished() or 0, time.monotonic()
    job_ids = hand_in(stack.server, files)
    began = stack.cpu_seconds()["web"]
    with polled(stack.server, job_ids, POLLS_PER_SECOND) as polls:
        until_finished(stack, before + len(files))
    while_it = len(files) / (time.monotonic() - start)
    spent = (stack.cpu_seconds()["web"] - began) / max(1, len(polls.latencies))
    told = {"jobs_per_s": round(while_it, 3), "of_the_throughput_without": round(while_it / rate, 3)}
    return {**told, "cpu_ms_per_poll": round(spent * 1000, 2), **polls.summary()}


def per_image(seconds: dict[str, float], images: int) -> dict[str, float]:
    return {name: round(spent * 1000 / images, 1) for name, spent in seconds.items()}


class Weighing:
    """The memory of worker children, all the while."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._stop = stack, threading.Event()
        self._seen: dict[int, list[tuple[float, float]]] = {}
        self._thread = threading.Thread(target=self._weigh)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def summary(self) -> list[dict[str, float]]:
        """For each child: MB on average in the first and last quarter of the run, and MB a minute over it."""
        told = []
        for points in self._seen.values():
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
            told.append({**row, "mb_per_minute": slope(points), "mb_per_minute_second_half": slope(half)})
        return told

    def _weigh(self) -> None:
        start = time.monotonic()
        while not self._stop.wait(WEIGH_SECONDS):
            for pid in self._stack.children():
                if (mb := resident_mb(pid)) is not None:
                    self._seen.setdefault(pid, []).append((time.monotonic() - start, mb))
