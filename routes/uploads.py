"""Uploads and tasks: other words, of clients that know them, for the same jobs."""

from typing import Any, Final

from flask import Response

from routes.http.context import service
from routes.http.incoming import S3_KEY
from routes.http.job_answers import answer, moment
from routes.http.job_requests import read_single
from routes.jobs import jobs, known, owner, page_of, polled
from services.jobs.archive import result_names
from services.jobs.queries import JobSnapshot
from services.jobs.tables import CANCELLED, FAILED, FINISHED, QUEUED, STARTED
from services.storage.local import LocalFolder

STATUS: Final = {
    QUEUED: "queued",
    STARTED: "processing",
    FINISHED: "completed",
    FAILED: "failed",
    CANCELLED: "failed",
}


def upload() -> Response:
    """Hand in an image, sent or in the bucket already."""
    job = jobs().desk.submit(read_single(S3_KEY))
    body = {"upload_id": job.id, "task_id": job.id, "status": STATUS[job.state], "message": "The image is queued"}
    return answer(body, 202)


def uploads() -> Response:
    """The caller's uploads, newest first."""
    reports, cursor = page_of(failed=False)
    return answer({"uploads": [_upload(report) for report in reports], "next_cursor": cursor or None})


def show_upload(upload_id: str) -> Response:
    """One upload."""
    return answer(_upload(jobs().reports.job(known(upload_id), owner())))


def show_task(task_id: str) -> Response:
    """What has become of an upload."""
    return answer(polled(task_id, _task))


def _upload(report: JobSnapshot) -> dict[str, Any]:
    job, item = report.job, report.items[0]
    return {
        "upload_id": job.id,
        "task_id": job.id,
        "filename": item.name,
        "size": sum(item.original_bytes for item in report.items),
        "status": STATUS[job.state],
        "created_at": moment(job.created_at),
    }


def _task(report: JobSnapshot) -> dict[str, Any]:
    job = report.job
    spent = (job.finished_at - job.started_at).total_seconds() if job.started_at and job.finished_at else None
    failure = next((i.error_details or i.error_code for i in report.items if i.state == FAILED), None)
    done = job.state == FINISHED
    return {
        "task_id": job.id,
        "upload_id": job.id,
        "status": STATUS[job.state],
        "progress": report.progress,
        "result_url": f"/api/jobs/{job.id}/download" if done else None,
        "presigned_url": _presigned(report) if done and len(report.items) == 1 else None,
        "error_message": "cancelled" if job.state == CANCELLED else failure,
        "processing_time": round(spent, 3) if spent is not None else None,
        "created_at": moment(job.created_at),
        "updated_at": moment(job.finished_at or job.started_at or job.created_at),
    }


def _presigned(report: JobSnapshot) -> str | None:
    """Where the storage itself serves the result; a local folder does not."""
    storage, item = service().storage, report.items[0]
    if isinstance(storage, LocalFolder) or item.result_key is None or report.expired:
        return None
    return storage.url(item.result_key, service().settings.presigned_url_seconds, result_names(report.items)[item.id])
