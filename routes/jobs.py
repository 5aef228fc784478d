"""Views of jobs: submit one image or many, show, list, cancel, retry, download, erase."""

from collections.abc import Callable
from typing import Final

from flask import Response, request
from werkzeug.routing import BaseConverter

from bootstrap.jobs import JobServices
from routes.http.answers import Body
from routes.http.auth import current_caller
from routes.http.context import service, state
from routes.http.jobs.job_answers import accepted, answer, download, encoded
from routes.http.jobs.job_events import events, wants_events
from routes.http.jobs.job_requests import read_batch, read_single
from routes.http.jobs.job_views import (
    CancelledView,
    FailedJobsPage,
    FailedJobView,
    JobsPage,
    JobView,
    RetriedView,
    job_url,
)
from routes.http.jobs.watch_events import watch_events
from routes.http.limits import charged, client_key
from routes.http.usage import reserve_images
from routes.http.visitors import visitor
from services.errors import BadOption
from services.jobs.errors import JobNotCancellable, JobNotFound, JobNotRetryable
from services.jobs.queries import JobSnapshot, Lister
from services.jobs.submit import Submission
from services.jobs.tables import CANCELLED, ENDED, FAILED, FINISHED, JOB_ID, Job

PAGE: Final = 20
MAX_PAGE: Final = 100
# Images that one error text names.
MAX_REASONS: Final = 10


class JobId(BaseConverter):
    """The part of a path that names a job: not the paths of other endpoints, for which other methods are 405."""

    regex = "(?!remove-bg|events(?:/|$))[^/]+"


def submit() -> Response:
    """Submit one image; an animation costs as many as it has frames."""
    submission = read_single()
    return accepted(submit_submission(submission), submission.names)


def submit_batch() -> Response:
    """Submit many images as one job, which costs as many."""
    submission = read_batch()
    return accepted(submit_submission(submission), submission.names)


def submit_submission(submission: Submission) -> Job:
    """Submit a job and charge its images. Raises `MonthlyQuotaUsedUp`, `RateLimited` and what submitting does."""
    submitter = jobs().submitter
    # Repeating a submission costs one, like any request.
    if found := submitter.find(submission):
        return found
    reserve_for_job(submission.frames, submission.caller)
    # Settled with the answer: one long animation may have more frames than the quota of a minute.
    state().cost += submission.frames - len(submission.files)
    with charged(len(submission.files)):
        return submitter.submit(submission)


def show(job_id: str) -> Response:
    """Show a job's status, or stream its changes as events if the caller asks for them."""
    if wants_events():
        return events(jobs(), jobs().queries.job(known(job_id), owner()), owner(), client_key())
    return answer(polled(job_id, job_view))


def watch() -> Response:
    """Stream the changes of many jobs."""
    return watch_events(jobs(), owner(), client_key())


def polled(job_id: str, view: Callable[[JobSnapshot], Body]) -> bytes:
    """Return the JSON of a job's view. Raises `JobNotFound`.

    The state is always current. Until the job has ended, the rest may be a moment old, so that callers who poll all the
    time cost the workers nothing.
    """
    parts = jobs()
    state = parts.queries.state(known(job_id), owner())

    def make() -> tuple[str, bytes]:
        snapshot = parts.queries.job(job_id, owner())
        return snapshot.job.state, encoded(view(snapshot))

    if state in ENDED:
        return make()[1]
    cached_state, body = parts.recent.get_or_make((job_id, state, view), make)
    # The state may have changed between the two queries.
    return body if cached_state == state else make()[1]


def listed() -> Response:
    """List the caller's jobs, newest first."""
    snapshots, cursor = page_of(failed=False)
    return answer(JobsPage(jobs=[job_view(snapshot) for snapshot in snapshots], next_cursor=cursor or None))


def failed() -> Response:
    """List the caller's jobs with a failed image, newest first."""
    snapshots, cursor = page_of(failed=True)
    return answer(FailedJobsPage(jobs=[_failed_job(snapshot) for snapshot in snapshots], next_cursor=cursor or None))


def cancel(job_id: str) -> Response:
    """End all images of a job that have not ended."""
    parts = jobs()
    snapshot = parts.queries.job(known(job_id), owner())
    if not parts.store.cancel(snapshot.job.id):
        raise JobNotCancellable(f"it is {parts.queries.job(job_id, owner()).job.state}")
    return answer(CancelledView(job_id=job_id, status=CANCELLED), 202)


def erase(job_id: str) -> Response:
    """Delete a job's files and its record now; what has not ended is cancelled."""
    parts = jobs()
    parts.retention.erase(parts.queries.job(known(job_id), owner()).job.id)
    return Response(status=204)


def retry(job_id: str) -> Response:
    """Restart a job's failed images, without those that would fail again."""
    parts = jobs()
    snapshot = parts.queries.unexpired(known(job_id), owner())
    reserve_for_job(len(snapshot.retryable_items), snapshot.job.caller)
    return restarted(snapshot)


def restarted(snapshot: JobSnapshot) -> Response:
    """Restart a job's failed images and answer 202. Raises `QueueUnavailable`, `JobNotRetryable`."""
    parts = jobs()
    parts.queue.check()
    if not parts.store.retry(snapshot.job.id):
        raise not_retryable(snapshot)
    parts.dispatcher.try_next(snapshot.job.caller)
    return answer(RetriedView.of(snapshot, service().settings.public_base), 202)


def not_retryable(snapshot: JobSnapshot) -> JobNotRetryable:
    """Return the error that says of each failed image why it is not tried again."""
    job, failures = snapshot.job, snapshot.failed_items
    if job.state not in (FINISHED, FAILED) or not failures:
        return JobNotRetryable(f"it is {job.state}")
    reasons = [f"{item.name!r:.100} failed for good ({item.error_code})" for item in failures[:MAX_REASONS]]
    more = [f"and {len(failures) - MAX_REASONS} more"] if len(failures) > MAX_REASONS else []
    return JobNotRetryable(", ".join([*reasons, *more]), "Send these images again, corrected")


def result(job_id: str) -> Response:
    """Download the result of a finished job."""
    return download(jobs().queries.unexpired(known(job_id), owner()))


def reserve_for_job(images: int, caller: str) -> None:
    """Refuse a job of `caller` for which too little is left of its month.

    Images of other callers are not this one's to pay. Raises `MonthlyQuotaUsedUp`.
    """
    if caller == client_key():
        reserve_images(images)


def jobs() -> JobServices:
    """Return the job subsystem."""
    found = service().jobs
    # These routes are registered only with jobs enabled.
    assert found
    return found


def known(job_id: str) -> str:
    """Return the id if it has the form of one. Raises `JobNotFound`."""
    if not JOB_ID.fullmatch(job_id):
        raise JobNotFound
    return job_id


def owner() -> str | None:
    """Return the id of the caller: an API key's or a user's."""
    caller = current_caller()
    return caller.id if caller else None


def page_of(*, failed: bool) -> tuple[list[JobSnapshot], str]:
    """Return the requested page of the caller's own jobs, and the cursor of the next. Raises `BadOption`.

    A caller without a key and without a cookie has none: its jobs are known by their ids alone.
    """
    limit, cursor = page_size(request.args.get("limit", "")), request.args.get("cursor", "")
    lister = Lister(owner(), visitor())
    if lister == Lister():
        return [], ""
    return jobs().queries.page(lister, limit, cursor, failed=failed)


def job_view(snapshot: JobSnapshot) -> JobView:
    """Describe a job, with links as `PUBLIC_URL` says."""
    return JobView.of(snapshot, service().settings.public_base)


def _failed_job(snapshot: JobSnapshot) -> FailedJobView:
    url = job_url(snapshot.job.id, service().settings.public_base, "/retry") if snapshot.retryable_items else None
    return FailedJobView(**dict(job_view(snapshot)), retry_url=url)


def page_size(text: str) -> int:
    """Return the number of jobs on a page. Raises `BadOption`."""
    if not text:
        return PAGE
    if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PAGE)) and 1 <= int(text) <= MAX_PAGE:
        return int(text)
    raise BadOption("limit", text, f"a whole number from 1 to {MAX_PAGE}")
