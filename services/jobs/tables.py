"""The tables of jobs and their items, and the keys under which their files are stored.

A job has one item for each image. An item is `queued` (`queued_at` is set while its message is in the queue), then
`started` (a worker holds its lease), then for good `finished`, `failed` or `cancelled`. A caller may delete an item at
any time: it is `deleted`, and only its record is kept. The record is the truth; a message in the queue only names an
item. `services/jobs/store.py` makes every change.
"""

import re
import secrets
from datetime import datetime
from typing import Final

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.jobs.facts import ResultFacts, ResultFactsColumn
from services.persistence.database import Base

QUEUED: Final = "queued"
STARTED: Final = "started"
FINISHED: Final = "finished"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
# Only of an item: a deleted job has no record.
DELETED: Final = "deleted"
ACTIVE: Final = (QUEUED, STARTED)
ENDED: Final = (FINISHED, FAILED, CANCELLED)
SINGLE: Final = "single"
BATCH: Final = "batch"
# The folders of the storage that jobs fill, by what their files are.
FOLDERS: Final = {"uploads": "originals/", "results": "results/", "masks": "masks/", "previews": "previews/"}
JOB_ID: Final = re.compile(r"[0-9a-f]{32}")
ITEM_ID: Final = re.compile(rf"{JOB_ID.pattern}-[0-9]{{1,9}}")
# A key of a job's own file, as `original_key` and the functions next to it make it, or of an archive's manifest; the
# group is the id. Other keys in these folders are the callers' (`output_key`).
OWN_KEY: Final = re.compile(
    rf"[a-z]+/({JOB_ID.pattern})/(?:background|manifest\.json|[0-9]+(?:-[0-9]+[0-9a-f]{{8}})?(?:\.[a-z0-9]+)?)"
)


class Job(Base):
    """One submission.

    `owner` is the id of the API key or of the user that made it, None without them; `visitor` is the id in the cookie
    of the browser that made it then. Quotas count by `caller`. `expires_at`, set when the job ends, is when its files
    may be deleted; `removed_at` is when they were. `traceparent` names the span that
    submitted it: those of its images and of its webhook are below it.
    """

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    owner: Mapped[str | None] = mapped_column(String(12))
    visitor: Mapped[str | None] = mapped_column(String(32))
    caller: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10))
    options: Mapped[dict[str, object]] = mapped_column(JSON)
    total: Mapped[int] = mapped_column(Integer)
    background_key: Mapped[str | None] = mapped_column(String(200))
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    fingerprint: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    callback_url: Mapped[str | None] = mapped_column(Text)
    callback_attempts: Mapped[int] = mapped_column(Integer, default=0)
    callback_due_at: Mapped[datetime | None]
    callback_status: Mapped[str | None] = mapped_column(String(200))
    traceparent: Mapped[str | None] = mapped_column(String(55))

    __table_args__ = (
        Index("uq_jobs_caller_idempotency_key", "caller", "idempotency_key", unique=True),
        Index("ix_jobs_owner_created_at", "owner", "created_at", "id"),
        Index("ix_jobs_visitor_created_at", "visitor", "created_at", "id"),
        Index("ix_jobs_state_expires_at", "state", "expires_at"),
        Index("ix_jobs_callback_due_at", "callback_due_at"),
    )


class JobItem(Base):
    """One image of a job.

    It is not tried before `due_at`. Only the worker `lease_owner` may change it, until `lease_until`. `result` is set
    when it is finished; `revision` counts the masks that replaced the model's since.
    """

    __tablename__ = "job_items"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job_id: Mapped[str] = mapped_column(String(32), ForeignKey("jobs.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    caller: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(10))
    stage: Mapped[str | None] = mapped_column(String(16))
    progress: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime]
    queued_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_details: Mapped[str | None] = mapped_column(Text)
    original_key: Mapped[str] = mapped_column(String(200))
    original_bytes: Mapped[int] = mapped_column(Integer)
    result_key: Mapped[str | None] = mapped_column(String(200))
    result: Mapped[ResultFacts | None] = mapped_column(ResultFactsColumn)
    revision: Mapped[int] = mapped_column(Integer, default=0, server_default="0")

    __table_args__ = (
        Index("ix_job_items_job_id_position", "job_id", "position", unique=True),
        Index("ix_job_items_caller_state", "caller", "state", "queued_at", "created_at"),
        Index("ix_job_items_state_lease_until", "state", "lease_until"),
        Index("ix_job_items_state_finished_at", "state", "finished_at"),
    )


def new_job_id() -> str:
    """Return an unguessable id: 128 random bits in hexadecimal."""
    return secrets.token_hex(16)


def item_id(job_id: str, position: int) -> str:
    """Return the id of a job's item; positions count from 1."""
    return f"{job_id}-{position}"


def original_key(job_id: str, name: str | int) -> str:
    """Return the storage key of an item's original; the same for every attempt."""
    return f"originals/{job_id}/{name}"


def result_key(job_id: str, position: int, extension: str) -> str:
    """Return the storage key of an item's result; the same for every attempt, so that writing twice is harmless."""
    return f"results/{job_id}/{position}.{extension}"


def revised_key(item: JobItem, extension: str, mark: str) -> str:
    """Return the storage key of an item's next result. `mark` keeps it apart from that of a concurrent edit."""
    return f"results/{item.job_id}/{item.position}-{item.revision + 1}{mark}.{extension}"


def mask_key(result_key: str) -> str:
    """Return the storage key of the mask that made a result."""
    return f"masks/{_stem(result_key)}.png"


def preview_key(result_key: str) -> str:
    """Return the storage key of a result's preview."""
    return f"previews/{_stem(result_key)}.webp"


def _stem(result_key: str) -> str:
    return result_key.removeprefix("results/").rpartition(".")[0]
