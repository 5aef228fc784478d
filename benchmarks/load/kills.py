"""Kill the processes that jobs depend on while jobs run; check that each image is finished exactly once."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.load.callers import differing_results, download_results, remove_synchronously, submit
from benchmarks.load.stack import Stack, wait
from bootstrap.stores import make_storage
from config import load_settings
from services.errors import DatabaseUnavailable
from services.jobs.tables import ACTIVE, FINISHED

# How often progress is checked, and how often it is printed.
POLL_SECONDS = 0.2
PRINT_SECONDS = 5.0
# Without progress for this long the run is stuck. Longer than the longest interval before a retry.
STUCK_SECONDS = 600.0


def kills(stack: Stack, files: Sequence[Path], console: Console) -> dict[str, Any]:
    """Return the timeline, the counts, and `missed`: the goals that were not met."""
    stack.start_worker()
    job_ids = submit(stack.server, files)
    timeline = run_with_events(stack, job_ids, len(files), console)
    items = stack.items(job_ids)
    states = Counter(item.state for item in items)
    times = stack.finishes()
    expected, _ = remove_synchronously(stack.server, files)
    different = differing_results(download_results(stack.server, job_ids), expected)
    stored = stored_results(stack, job_ids)
    found = {
        "timeline": timeline,
        "states": dict(states),
        "attempts": dict(Counter(str(item.attempts) for item in items)),
        "finished_more_than_once": sum(count > 1 for count in times.values()),
        "never_finished": len(items) - len(times),
        "results_stored": stored,
        "different_results": different,
    }
    goals = {
        "images lost": len(items) == len(files) == stored,
        "not all finished": states == {FINISHED: len(files)},
        "finished more than once, or never": set(times.values()) == {1} and len(times) == len(files),
        "results differ": not different,
    }
    return {**found, "missed": [goal for goal, met in goals.items() if not met]}


def events(stack: Stack) -> list[tuple[str, Callable[[], object]]]:
    """Return the failures in the order in which they are caused, spread evenly over the run."""

    def whole_worker() -> None:
        # A supervisor would start it again.
        stack.kill_worker()
        stack.start_worker()

    found: list[tuple[str, Callable[[], object]]] = [
        ("SIGKILL for a worker child", lambda: os.kill(stack.busy_child(), signal.SIGKILL)),
        ("SIGKILL for the whole worker, started again", whole_worker),
        ("Valkey restarted", stack.restart_valkey),
        ("Valkey wiped clean", stack.flush_valkey),
    ]
    if stack.seaweedfs:
        found.append(("SeaweedFS killed and started again", stack.restart_seaweedfs))
    if stack.postgres:
        found.append(("PostgreSQL restarted", stack.restart_postgres))
    return found


def run_with_events(stack: Stack, job_ids: list[str], images: int, console: Console) -> list[dict[str, Any]]:
    """Wait until no item is left. Each event is caused when its share of the images is finished."""
    due = events(stack)
    shares = [(number + 1) / (len(due) + 1) for number in range(len(due))]
    start = moved = printed = time.monotonic()
    timeline: list[dict[str, Any]] = []
    done = last = 0

    def note(event: str) -> None:
        row = {"seconds": round(time.monotonic() - start, 1), "event": event, "finished": done}
        timeline.append(row)
        console.print(f"{row['seconds']:7.1f} s  {done:5}  {event}")

    while True:
        done = last if (found := stack.finished()) is None else found
        if done != last:
            last, moved = done, time.monotonic()
        if due and done >= shares[len(shares) - len(due)] * images:
            name, cause = due.pop(0)
            note(name)
            outcome = cause()
            note(f"… done{f' ({outcome} messages)' if isinstance(outcome, int) else ''}")
        if time.monotonic() - printed > PRINT_SECONDS:
            printed = time.monotonic()
            note("")
        if not due and not unfinished(stack, job_ids):
            note("nothing left to do")
            return timeline
        if time.monotonic() - moved > STUCK_SECONDS:
            note("stuck")
            return timeline
        wait(POLL_SECONDS)


def unfinished(stack: Stack, job_ids: list[str]) -> int:
    """Return the number of unfinished items, or 1 while the database is unavailable."""
    try:
        return sum(item.state in ACTIVE for item in stack.items(job_ids))
    except DatabaseUnavailable:
        return 1


def stored_results(stack: Stack, job_ids: list[str]) -> int:
    """Return the number of stored results of these jobs."""
    settings = load_settings(**{name.lower(): value for name, value in stack.settings.items()})
    storage = make_storage(settings)
    return sum(1 for job_id in job_ids for _ in storage.list(f"results/{job_id}/"))
