"""Views of uploads and tasks: jobs under other names, for clients that expect these."""

from flask import Response

from routes.http.context import service
from routes.http.incoming import S3_KEY
from routes.http.jobs.job_answers import answer
from routes.http.jobs.job_requests import read_single
from routes.http.jobs.upload_views import TaskView, UploadAcceptedView, UploadsPage, UploadView
from routes.jobs import jobs, known, owner, page_of, polled, submit_submission
from services.jobs.archive import result_name
from services.jobs.queries import JobSnapshot
from services.jobs.tables import FINISHED
from services.storage.local import LocalFolder


def upload() -> Response:
    """Submit an image, from the request or from the bucket."""
    submission = read_single(S3_KEY)
    return answer(UploadAcceptedView.of(submit_submission(submission)), 202)


def uploads() -> Response:
    """List the caller's uploads, newest first."""
    snapshots, cursor = page_of(failed=False)
    found = [UploadView.of(snapshot) for snapshot in snapshots]
    return answer(UploadsPage(uploads=found, next_cursor=cursor or None))


def show_upload(upload_id: str) -> Response:
    """Show one upload."""
    return answer(UploadView.of(jobs().queries.job(known(upload_id), owner())))


def show_task(task_id: str) -> Response:
    """Show the status of an upload."""
    return answer(polled(task_id, _task))


def _task(snapshot: JobSnapshot) -> TaskView:
    return TaskView.of(snapshot, service().settings.public_base, _presigned(snapshot))


def _presigned(snapshot: JobSnapshot) -> str | None:
    """Return a link into object storage for the finished result of a single image; a local folder has none."""
    storage, item = service().storage, snapshot.items[0]
    if snapshot.job.state != FINISHED or len(snapshot.items) != 1 or snapshot.expired:
        return None
    if isinstance(storage, LocalFolder) or item.result_key is None:
        return None
    return storage.url(item.result_key, service().settings.presigned_url_seconds, result_name(item))
