"""Insert records of jobs into a real database, without files or a queue."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from services.jobs.errors import QueueUnavailable
from services.jobs.facts import ResultFacts
from services.jobs.store import Claim, JobStore
from services.jobs.tables import BATCH, QUEUED, SINGLE, Job, JobItem, item_id, new_job_id, original_key
from services.persistence.database import Database

LEASE_SECONDS: Final = 30.0
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


@contextmanager
def sqlite_store(folder: Path) -> Iterator[JobStore]:
    """A store in a new SQLite file; results are kept for an hour."""
    database = Database(f"sqlite:///{folder}/jobs.db")
    yield JobStore(database, result_seconds=3600)
    database.close()


def new_records(count: int = 1, *, caller: str = "ann", owner: str | None = None) -> tuple[Job, list[JobItem]]:
    """Make the records of a job that was just submitted."""
    job_id, now = new_job_id(), datetime.now(UTC)
    job = Job(
        id=job_id,
        kind=SINGLE if count == 1 else BATCH,
        owner=owner,
        caller=caller,
        state=QUEUED,
        options={},
        total=count,
        fingerprint="",
        created_at=now,
        callback_attempts=0,
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
        )
        for position in range(1, count + 1)
    ]
    return job, items


def insert_job(store: JobStore, count: int = 1, *, caller: str = "ann", owner: str | None = None) -> str:
    """Insert a job that was just submitted; return its id."""
    job, items = new_records(count, caller=caller, owner=owner)
    assert store.add(job, items)
    return job.id


def claim_item(store: JobStore, job_id: str, position: int = 1, *, lease_seconds: float = LEASE_SECONDS) -> Claim:
    """Claim an item of a job."""
    claim = store.claim(item_id(job_id, position), f"worker of {position}", lease_seconds)
    assert claim
    return claim


def finish_job(store: JobStore, job_id: str, count: int = 1) -> None:
    """Finish all items of a job, and close it."""
    for position in range(1, count + 1):
        assert store.finish(claim_item(store, job_id, position), f"results/{job_id}/{position}.png", FACTS)
    assert store.close(job_id)


class RecordingQueue:
    """A queue that records the ids sent to it. `fails_after` messages it raises `QueueUnavailable`."""

    def __init__(self, fails_after: int = 1000) -> None:
        self.sent: list[str] = []
        self.fails_after = fails_after

    def check(self) -> None: ...

    def send(self, item: str) -> None:
        if len(self.sent) >= self.fails_after:
            raise QueueUnavailable("gone")
        self.sent.append(item)

    def waiting(self) -> set[str]:
        return set(self.sent)
