"""The JSON bodies of jobs. One model gives each body and, in the API's description, its schema.

The order of the fields is the order of the keys.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, PlainSerializer, WithJsonSchema

from routes.http.answers import Body, Count
from routes.http.jobs.item_views import ErrorView, ItemName, ItemView, RefusedView, Status
from services.jobs.queries import JobSnapshot
from services.jobs.retention import Removed
from services.jobs.tables import BATCH, CANCELLED, FAILED, FINISHED, QUEUED, Job, item_id


def iso_milliseconds(at: datetime) -> str:
    """Format a moment in UTC as ISO 8601 with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(iso_milliseconds, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


def job_url(job_id: str, base: str, more: str = "") -> str:
    """Return the link to a job, or to what is below it; `base` is `PUBLIC_URL`, and without it the link is relative."""
    return f"{base}/api/jobs/{job_id}{more}"


class AcceptedView(Body):
    """The answer to a submission."""

    job_id: str
    status: Status
    items: Count
    status_url: str
    images: Annotated[list[ItemName], Field(description="All images, in the order of the files.")]

    @classmethod
    def of(cls, job: Job, names: Sequence[str], base: str) -> Self:
        """Describe a job that was just submitted, with images of these names; see `job_url` for `base`."""
        return cls(
            job_id=job.id,
            status=job.state,
            items=job.total,
            status_url=job_url(job.id, base),
            images=[ItemName.of(item_id(job.id, position), name) for position, name in enumerate(names, 1)],
        )


class CancelledView(Body):
    """The answer to a cancel."""

    job_id: str
    status: Status


class RetriedView(Body):
    """The answer to a retry: how many images are tried again, and those that are not."""

    job_id: str
    status: Status
    status_url: str
    items: Count
    refused: list[RefusedView]

    @classmethod
    def of(cls, snapshot: JobSnapshot, base: str) -> Self:
        """Describe the retry of a job, from the job before it; see `job_url` for `base`."""
        retried = snapshot.retryable_items
        return cls(
            job_id=snapshot.job.id,
            status=QUEUED,
            status_url=job_url(snapshot.job.id, base),
            items=len(retried),
            refused=[RefusedView.of(item) for item in snapshot.failed_items if item not in retried],
        )


class JobMetricsView(Body):
    """Figures of a job: counts of its items, seconds, bytes; `timings_ms` of a single image alone."""

    items: Count
    finished: Count
    failed: Count
    cancelled: Count
    deleted: Count
    queue_seconds: float | None
    processing_seconds: float | None
    original_bytes: Count
    result_bytes: Count
    timings_ms: dict[str, float] | None

    @classmethod
    def of(cls, snapshot: JobSnapshot) -> Self:
        """Compute a job's figures."""
        job, items = snapshot.job, snapshot.items
        spent = [(i.finished_at - i.started_at).total_seconds() for i in items if i.started_at and i.finished_at]
        queued = (job.started_at - job.created_at).total_seconds() if job.started_at else None
        facts = items[0].result
        return cls(
            items=job.total,
            finished=sum(item.state == FINISHED for item in items),
            failed=sum(item.state == FAILED for item in items),
            cancelled=sum(item.state == CANCELLED for item in items),
            deleted=len(snapshot.deleted_items),
            queue_seconds=round(queued, 3) if queued is not None else None,
            processing_seconds=round(sum(spent), 3) if spent else None,
            original_bytes=sum(item.original_bytes for item in items),
            result_bytes=sum(item.result.bytes for item in items if item.result),
            timings_ms=facts.timings_ms if facts and job.kind != BATCH else None,
        )


class JobView(Body):
    """A job's status, with its items."""

    job_id: str
    status: Status
    stage: str | None = Field(description="queue, decode, segment, refine, compose, encode, store")
    progress: Count = Field(le=100)
    eta_seconds: float | None = Field(description="Null while nothing is known, as before the first image is done.")
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    expires_at: Moment | None = Field(description="When its files are deleted.")
    attempts: Count
    error: ErrorView | None = Field(description="Why it failed, or why its last attempt did.")
    items: list[ItemView]
    download_url: str | None
    metrics: JobMetricsView

    @classmethod
    def of(cls, snapshot: JobSnapshot, base: str) -> Self:
        """Describe a job; see `job_url` for `base`."""
        job, items = snapshot.job, snapshot.items
        # A single image shows the error of its last attempt; a batch that of its first failed image.
        failed = items[:1] if job.kind != BATCH else [item for item in items if item.state == FAILED]
        return cls(
            job_id=job.id,
            status=job.state,
            stage=next((item.stage for item in items if item.stage), None),
            progress=snapshot.progress,
            eta_seconds=snapshot.eta_seconds,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            expires_at=job.expires_at,
            attempts=max(item.attempts for item in items),
            error=ErrorView.of(failed[0]) if failed else None,
            items=[ItemView.of_item(item) for item in items],
            download_url=job_url(job.id, base, "/download") if snapshot.has_download else None,
            metrics=JobMetricsView.of(snapshot),
        )


class FailedJobView(JobView):
    """A job with a failed item; `retry_url` is null if nothing of it can be tried again."""

    retry_url: str | None


class JobsPage(Body):
    """A page of jobs; `next_cursor` is null on the last page."""

    jobs: list[JobView]
    next_cursor: str | None


class FailedJobsPage(Body):
    """A page of failed jobs; `next_cursor` is null on the last page."""

    jobs: list[FailedJobView]
    next_cursor: str | None


class CleanupView(Body):
    """The answer to a cleanup."""

    removed: Removed
