"""Create jobs, claims and an in-memory queue."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.pipeline import Result
from services.jobs.dispatch import Dispatcher
from services.jobs.errors import QueueUnavailable
from services.jobs.facts import ResultFacts
from services.jobs.queries import JobQueries
from services.jobs.queue import Queue
from services.jobs.recovery import JobRecovery
from services.jobs.retry import RetryPolicy
from services.jobs.store import Claim, JobStore
from services.jobs.tables import BATCH, QUEUED, SINGLE, Job, JobItem, item_id, new_job_id, original_key

LEASE: Final = 30.0
FACTS: Final = ResultFacts(
    format="png",
    mimetype="image/png",
    width=64,
    height=48,
    bytes=1234,
    original_format="jpeg",
    original_width=640,
    original_height=480,
    original_bytes=5678,
    model="u2netp",
    confidence=0.987,
    timings_ms={"decode": 1.5, "segment": 20.0},
)

RESULT: Final = Result(
    data=b"a picture",
    format=Format.PNG,
    width=64,
    height=48,
    foreground=Box(0, 0, 1, 1),
    original_format="jpeg",
    original_width=640,
    original_height=480,
    original_bytes=5678,
    quality=None,
    max_width=None,
    max_height=None,
    max_pixels=None,
    model="u2netp",
    confidence=0.98765,
    timings={"decode": 1.2345},
)


class FakeQueue:
    """A queue that records what was sent. It is unavailable once it has taken `takes` messages, or while `lost`."""

    def __init__(self, takes: int = 1000) -> None:
        self.sent: list[str] = []
        self.takes = takes
        self.lost = False

    def check(self) -> None: ...

    def send(self, item: str) -> None:
        if self.lost or len(self.sent) >= self.takes:
            raise QueueUnavailable("gone")
        self.sent.append(item)

    def waiting(self) -> set[str]:
        return set(self.sent)


def new_records(
    count: int = 1, *, caller: str = "ann", owner: str | None = None, **more: Any
) -> tuple[Job, list[JobItem]]:
    """Make the records of a job that was just submitted; `more` are columns of the job."""
    job_id, now = new_job_id(), datetime.now(UTC)
    job = Job(
        id=job_id,
        kind=SINGLE if count == 1 else BATCH,
        owner=owner,
        caller=caller,
        state=QUEUED,
        **{"options": {}, "total": count, "fingerprint": "", "created_at": now, "callback_attempts": 0, **more},
    )
    items = [
        JobItem(
            id=item_id(job_id, position),
            job_id=job_id,
            position=position,
            caller=caller,
            name=f"photo {position}",
            state=QUEUED,
            progress=0,
            attempts=0,
            created_at=now,
            original_key=original_key(job_id, position),
            original_bytes=100,
            revision=0,
        )
        for position in range(1, count + 1)
    ]
    return job, items


def insert_job(store: JobStore, count: int = 1, *, caller: str = "ann", owner: str | None = None, **more: Any) -> str:
    """Insert a job that was just submitted; return its id."""
    job, items = new_records(count, caller=caller, owner=owner, **more)
    assert store.add(job, items)
    return job.id


def claim_item(store: JobStore, job_id: str, position: int = 1, token: str = "me", lease: float = LEASE) -> Claim:
    """Claim an item of a job."""
    claim = store.claim(item_id(job_id, position), token, lease)
    assert claim
    return claim


def finish_job(store: JobStore, job_id: str, count: int = 1) -> None:
    """Finish all items of a job, and close it."""
    for position in range(1, count + 1):
        assert store.finish(claim_item(store, job_id, position), f"results/{job_id}/{position}.png", FACTS)
    assert store.close(job_id)


def finish_after(store: JobStore, seconds: float) -> None:
    """Finish a job of one image on which a worker was busy for this long."""
    job_id = insert_job(store, caller="zoe")
    finish_job(store, job_id)
    with store.database.session() as session:
        item = session.get_one(JobItem, item_id(job_id, 1))
        assert item.finished_at
        item.started_at = item.finished_at - timedelta(seconds=seconds)


def states(queries: JobQueries, job_id: str) -> tuple[str, list[str]]:
    """Return the states of a job and of its items."""
    found = queries.job(job_id, None)
    return found.job.state, [item.state for item in found.items]


def simultaneously(*calls: Callable[[], Any]) -> list[Any]:
    """Make the calls at the same time; return their results."""
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        together.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


def recovery_of(store: JobStore, queue: FakeQueue, retry_policy: RetryPolicy, lost_seconds: float = 60) -> JobRecovery:
    """Make the recovery of a store, with a dispatcher that limits nothing."""
    broker = cast(Queue, queue)
    return JobRecovery(store, broker, Dispatcher(store, broker, per_job=100), retry_policy, lost_seconds)
