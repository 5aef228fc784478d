"""What is told of a job: as JSON, as a download."""

from datetime import datetime
from typing import Any

import orjson
from flask import Response, redirect

from routes.http.context import service
from routes.removal import file_name
from services.jobs.archive import result_names, stream_archive
from services.jobs.errors import JobNotFinished
from services.jobs.queries import JobSnapshot
from services.jobs.tables import BATCH, CANCELLED, FAILED, FINISHED, Job, JobItem
from services.storage.local import LocalFolder


def answer(body: Any, status: int = 200) -> Response:
    """JSON, which may be encoded already, that nobody may keep: it is true now."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    response = Response(data, status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def accepted(job: Job) -> Response:
    """202: the job is written down."""
    url = f"/api/jobs/{job.id}"
    body = {"job_id": job.id, "status": job.state, "items": job.total, "status_url": url}
    response = answer(body, 202)
    response.headers["Location"] = url
    return response


def described(report: JobSnapshot) -> dict[str, Any]:
    """All that is told of a job."""
    job = report.job
    single = report.items[0] if job.kind != BATCH else None
    running = next((item.stage for item in report.items if item.stage), None)
    return {
        "job_id": job.id,
        "status": job.state,
        "stage": running,
        "progress": report.progress,
        "eta_seconds": report.eta_seconds,
        "created_at": moment(job.created_at),
        "started_at": moment(job.started_at),
        "finished_at": moment(job.finished_at),
        "expires_at": moment(job.expires_at),
        "attempts": max(item.attempts for item in report.items),
        "error": _error(single) if single else _first_error(report),
        "items": [_item(item) for item in report.items],
        "download_url": f"/api/jobs/{job.id}/download" if job.state == FINISHED else None,
        "metrics": _metrics(report),
    }


def download(report: JobSnapshot) -> Response:
    """The image, or the batch's ZIP, as it comes from storage. Raises `JobNotFinished`, `StorageUnavailable`."""
    response = _download(report)
    response.headers["Cache-Control"] = "private, no-store"  # a link that ends, or an image that does
    return response


def _download(report: JobSnapshot) -> Response:
    job = report.job
    if job.state != FINISHED:
        details = {FAILED: "all of it failed", CANCELLED: "it was cancelled"}.get(job.state, f"it is {job.state}")
        raise JobNotFinished(details)
    storage = service().storage
    if job.kind == BATCH:
        response = Response(stream_archive(report, storage), mimetype="application/zip")
        response.headers.set("Content-Disposition", "attachment", filename=f"{job.id}.zip")
        return response
    item = report.items[0]
    assert item.result_key
    assert item.result
    name = result_names(report.items)[item.id]
    settings = service().settings
    if settings.download_redirect and not isinstance(storage, LocalFolder):
        return redirect(storage.url(item.result_key, settings.presigned_url_seconds, name))  # type: ignore[return-value]
    opened = storage.open(item.result_key)
    response = Response(iter(opened), mimetype=item.result.mimetype)
    response.content_length = opened.size
    response.call_on_close(opened.close)
    response.headers["X-Confidence"] = f"{item.result.confidence:.3f}"
    response.headers.set("Content-Disposition", "attachment", **file_name(name))
    return response


def moment(at: datetime | None) -> str | None:
    """A moment as ISO 8601, in UTC."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def _item(item: JobItem) -> dict[str, Any]:
    facts = item.result
    return {
        "item_id": item.id,
        "name": item.name,
        "status": item.state,
        "stage": item.stage,
        "progress": item.progress,
        "attempts": item.attempts,
        "error": _error(item),
        **{name: getattr(facts, name, None) for name in ("width", "height", "bytes", "format", "model", "confidence")},
    }


def _error(item: JobItem) -> dict[str, Any] | None:
    """Why the last try failed: for good, or not yet."""
    if item.error_code is None:
        return None
    return {"code": item.error_code, "details": item.error_details or ""}


def _first_error(report: JobSnapshot) -> dict[str, Any] | None:
    return next((_error(item) for item in report.items if item.state == FAILED), None)


def _metrics(report: JobSnapshot) -> dict[str, Any]:
    job, items = report.job, report.items
    spent = [(i.finished_at - i.started_at).total_seconds() for i in items if i.started_at and i.finished_at]
    queue = (job.started_at - job.created_at).total_seconds() if job.started_at else None
    return {
        "items": job.total,
        **{state: sum(item.state == state for item in items) for state in (FINISHED, FAILED, CANCELLED)},
        "queue_seconds": round(queue, 3) if queue is not None else None,
        "processing_seconds": round(sum(spent), 3) if spent else None,
        "original_bytes": sum(item.original_bytes for item in items),
        "result_bytes": sum(item.result.bytes for item in items if item.result),
        "timings_ms": items[0].result.timings_ms if job.kind != BATCH and items[0].result else None,
    }
