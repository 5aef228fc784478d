"""Create jobs, claims and an in-memory queue."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from services.jobs.dispatch import Dispatcher
from services.jobs.errors import QueueUnavailable
from services.jobs.queries import JobQueries
from services.jobs.recovery import JobRecovery
from services.jobs.retry import RetryPolicy
from services.jobs.store import Claim, JobStore
from services.jobs.tables import BATCH, SINGLE, Job, JobItem, item_id, new_job_id, original_key

LEASE = 30.0


class FakeQueue:
    """A queue that records the ids sent to it. While `lost` is set it raises `QueueUnavailable`."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.lost = False

    def send(self, item: str) -> None:
        if self.lost:
            raise QueueUnavailable("gone")
        self.sent.append(item)

    def waiting(self) -> set[str]:
        return set(self.sent)


def make(records: JobStore, count: int = 1, *, caller: str = "ann", owner: str | None = None, **more: Any) -> str:
    """Insert a job that was just submitted; return its id."""
    job_id, now = new_job_id(), datetime.now(UTC)
    job = Job(
        id=job_id,
        kind=SINGLE if count == 1 else BATCH,
        owner=owner,
        caller=caller,
        state="queued",
        **{"options": {}, "total": count, "fingerprint": "", "created_at": now, "callback_attempts": 0, **more},
    )
    items = [
        JobItem(
            id=item_id(job_id, n),
            job_id=job_id,
            position=n,
            caller=caller,
            name="a",
            progress=0,
            state="queued",
            attempts=0,
            created_at=now,
            original_bytes=1,
            original_key=original_key(job_id, n),
        )
        for n in range(1, count + 1)
    ]
    assert records.add(job, items)
    return job_id


def claimed(records: JobStore, job_id: str, position: int = 1, token: str = "me", lease: float = LEASE) -> Claim:
    claim = records.claim(item_id(job_id, position), token, lease)
    assert claim
    return claim


def state(reports: JobQueries, job_id: str) -> tuple[str, list[str]]:
    found = reports.job(job_id, None)
    return found.job.state, [item.state for item in found.items]


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Make the calls simultaneously; return their results."""
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        together.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


def swept(records: JobStore, queue: FakeQueue, retries: RetryPolicy, lost_seconds: float = 60) -> JobRecovery:
    dispatcher = Dispatcher(records, queue, per_job=100)  # type: ignore[arg-type]
    return JobRecovery(records, queue, dispatcher, retries, lost_seconds)  # type: ignore[arg-type]
