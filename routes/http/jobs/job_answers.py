"""Builds the HTTP answers of jobs: JSON bodies and downloads."""

from collections.abc import Sequence

import orjson
from flask import Response, redirect

from routes.http.answers import Body
from routes.http.context import service
from routes.http.jobs.job_views import AcceptedView
from routes.removal import file_name
from services.jobs.archive import Latest, result_name, stream_archive
from services.jobs.errors import JobNotFinished
from services.jobs.queries import JobSnapshot
from services.jobs.tables import BATCH, CANCELLED, ENDED, FAILED, Job
from services.storage.errors import ResultExpired
from services.storage.local import LocalFolder


def answer(body: Body | bytes, status: int = 200) -> Response:
    """Make a JSON response that no cache may keep. Bytes are encoded already."""
    response = Response(body if isinstance(body, bytes) else encoded(body), status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def encoded(body: Body) -> bytes:
    """Encode a body as JSON."""
    return orjson.dumps(body.model_dump())


def accepted(job: Job, names: Sequence[str]) -> Response:
    """Answer 202: the job is recorded. `names` are those of its images, in their order."""
    body = AcceptedView.of(job, names, service().settings.public_base)
    response = answer(body, 202)
    response.headers["Location"] = body.status_url
    return response


def download(snapshot: JobSnapshot) -> Response:
    """Stream the image, or a batch's ZIP, from storage.

    Raises `JobNotFinished`, `ResultExpired`, `StorageUnavailable`.
    """
    response = _download(snapshot)
    # A link that expires, or an image that is deleted.
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _download(snapshot: JobSnapshot) -> Response:
    job, deleted = snapshot.job, snapshot.deleted_items
    if not snapshot.has_download:
        if deleted and job.state in ENDED:
            raise ResultExpired(f"no image has a result: {len(deleted)} of {job.total} were deleted")
        details = {FAILED: "all of it failed", CANCELLED: "it was cancelled before any image was done"}
        raise JobNotFinished(details.get(job.state, f"it is {job.state}"))
    if job.kind == BATCH:
        response = Response(stream_archive(snapshot, service().storage, _latest()), mimetype="application/zip")
        response.headers.set("Content-Disposition", "attachment", filename=f"{job.id}.zip")
        return response
    return _download_single(snapshot)


def _latest() -> Latest:
    parts = service().jobs
    assert parts
    return parts.queries.latest


def _download_single(snapshot: JobSnapshot) -> Response:
    item, storage, settings = snapshot.items[0], service().storage, service().settings
    assert item.result_key
    assert item.result
    name = result_name(item)
    if settings.download_redirect and not isinstance(storage, LocalFolder):
        link = storage.url(item.result_key, settings.presigned_url_seconds, name)
        return redirect(link)  # type: ignore[return-value] # of Werkzeug's class, which Flask's derives from
    opened = storage.open(item.result_key)
    response = Response(iter(opened), mimetype=item.result.mimetype)
    response.content_length = opened.size
    response.call_on_close(opened.close)
    response.headers["X-Confidence"] = f"{item.result.confidence:.3f}"
    response.headers.set("Content-Disposition", "attachment", **file_name(name))
    return response
