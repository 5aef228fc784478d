"""The JSON bodies of uploads and tasks: the same jobs under other names, for clients that expect these."""

from typing import Final, Literal, Self

from routes.http.answers import Body, Count
from routes.http.jobs.job_views import Moment, job_url
from services.jobs.queries import JobSnapshot
from services.jobs.tables import CANCELLED, FAILED, FINISHED, QUEUED, STARTED, Job

UploadStatus = Literal["queued", "processing", "completed", "failed"]
STATUS: Final[dict[str, UploadStatus]] = {
    QUEUED: "queued",
    STARTED: "processing",
    FINISHED: "completed",
    FAILED: "failed",
    CANCELLED: "failed",
}


class UploadAcceptedView(Body):
    """The answer to an upload; all ids are the job's."""

    upload_id: str
    task_id: str
    status: UploadStatus
    message: str

    @classmethod
    def of(cls, job: Job) -> Self:
        """Describe a job that was just submitted."""
        return cls(upload_id=job.id, task_id=job.id, status=STATUS[job.state], message="The image is queued")


class UploadView(Body):
    """An upload; `size` in bytes."""

    upload_id: str
    task_id: str
    filename: str
    size: Count
    status: UploadStatus
    created_at: Moment

    @classmethod
    def of(cls, snapshot: JobSnapshot) -> Self:
        """Describe a job as an upload."""
        job = snapshot.job
        return cls(
            upload_id=job.id,
            task_id=job.id,
            filename=snapshot.items[0].name.rpartition("/")[2],
            size=sum(item.original_bytes for item in snapshot.items),
            status=STATUS[job.state],
            created_at=job.created_at,
        )


class UploadsPage(Body):
    """A page of uploads; `next_cursor` is null on the last page."""

    uploads: list[UploadView]
    next_cursor: str | None


class TaskView(Body):
    """The status of an upload; `presigned_url` is a link into object storage, `processing_time` in seconds."""

    task_id: str
    upload_id: str
    status: UploadStatus
    progress: Count
    result_url: str | None
    presigned_url: str | None
    error_message: str | None
    processing_time: float | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, snapshot: JobSnapshot, base: str, presigned_url: str | None) -> Self:
        """Describe a job as a task; see `job_url` for `base`."""
        job = snapshot.job
        spent = (job.finished_at - job.started_at).total_seconds() if job.started_at and job.finished_at else None
        failure = next((i.error_details or i.error_code for i in snapshot.items if i.state == FAILED), None)
        return cls(
            task_id=job.id,
            upload_id=job.id,
            status=STATUS[job.state],
            progress=snapshot.progress,
            result_url=job_url(job.id, base, "/download") if snapshot.has_download else None,
            presigned_url=presigned_url,
            error_message="cancelled" if job.state == CANCELLED else failure,
            processing_time=round(spent, 3) if spent is not None else None,
            created_at=job.created_at,
            updated_at=job.finished_at or job.started_at or job.created_at,
        )
