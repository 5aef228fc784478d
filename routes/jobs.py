"""Jobs: an image or many are handed in, worked on by workers, watched, cancelled, tried again, downloaded."""

from collections.abc import Callable
from typing import Final

import orjson
from flask import Response, request

from routes.http.auth import caller_key
from routes.http.context import Jobs, service
from routes.http.job_answers import accepted, answer, described, download
from routes.http.job_events import events, wants_events
from routes.http.job_requests import read_batch, read_single
from services.errors import BadOption, MissingKey
from services.jobs.errors import JobNotCancellable, JobNotFound, JobNotRetryable
from services.jobs.queries import JobSnapshot
from services.jobs.tables import FAILED, FINISHED, JOB_ID

PAGE: Final = 20
MAX_PAGE: Final = 100
REFUSED: Final = "what failed was refused when it was handed in, and is not kept: send it again, mended"


def submit() -> Response:
    """One image to be worked on later."""
    return accepted(jobs().desk.submit(read_single()))


def submit_batch() -> Response:
    """Many images, one job."""
    return accepted(jobs().desk.submit(read_batch()))


def show(job_id: str) -> Response:
    """How far a job is; as events, if they are asked for."""
    if wants_events():
        return events(jobs(), jobs().reports.job(known(job_id), owner()), owner())
    return answer(polled(job_id, described))


def polled(job_id: str, described: Callable[[JobSnapshot], object]) -> bytes:
    """What is told of a job, as JSON. Its state is always the present one; the rest may be a moment old, so that
    callers who ask all the time take nothing from those who work. Raises `JobNotFound`."""
    parts = jobs()
    state = parts.reports.state(known(job_id), owner())

    def make() -> tuple[str, bytes]:
        report = parts.reports.job(job_id, owner())
        return report.job.state, orjson.dumps(described(report))

    then, told = parts.recent.get_or_make((job_id, state, described), make)
    return told if then == state else make()[1]  # it changed between the two questions


def listed() -> Response:
    """The caller's jobs, newest first."""
    return _page(failed=False)


def failed() -> Response:
    """The caller's jobs of which something has failed for good."""
    return _page(failed=True)


def cancel(job_id: str) -> Response:
    """End what is not done yet."""
    parts = jobs()
    report = parts.reports.job(known(job_id), owner())
    if not parts.records.cancel(report.job.id):
        raise JobNotCancellable(f"it is {parts.reports.job(job_id, owner()).job.state}")
    return answer({"job_id": job_id, "status": "cancelled"}, 202)


def retry(job_id: str) -> Response:
    """Try what has failed again."""
    parts = jobs()
    report = parts.reports.unexpired(known(job_id), owner())
    parts.queue.check()
    if not parts.records.retry(report.job.id):
        refused = report.job.state in (FINISHED, FAILED) and any(item.state == FAILED for item in report.items)
        raise JobNotRetryable(REFUSED if refused else f"it is {report.job.state}")
    parts.dispatcher.try_next(report.job.caller)
    return answer({"job_id": job_id, "status": "queued", "status_url": f"/api/jobs/{job_id}"}, 202)


def result(job_id: str) -> Response:
    """The result of a finished job."""
    return download(jobs().reports.unexpired(known(job_id), owner()))


def jobs() -> Jobs:
    """The parts that see to jobs."""
    found = service().jobs
    assert found  # these routes are there only with jobs
    return found


def known(job_id: str) -> str:
    """The id, if it can be one. Raises `JobNotFound`."""
    if not JOB_ID.fullmatch(job_id):
        raise JobNotFound
    return job_id


def owner() -> str | None:
    """The caller's API key's id."""
    key = caller_key()
    return key.id if key else None


def page_of(*, failed: bool) -> tuple[list[JobSnapshot], str]:
    """The page that the request asks for, and the cursor of the next. Raises `MissingKey`, `BadOption`."""
    own = owner()
    if own is None:
        raise MissingKey(
            "lists are of an API key's jobs; a job made without one belongs to whoever knows its id, and is in no list",
            "Send the key that the jobs were made with, or ask for each job by its id: GET /api/jobs/{id}",
        )
    limit, cursor = _limit(request.args.get("limit", "")), request.args.get("cursor", "")
    return jobs().reports.page(own, limit, cursor, failed=failed)


def _page(*, failed: bool) -> Response:
    reports, following = page_of(failed=failed)
    found = [described(report) for report in reports]
    if failed:
        urls = [f"/api/jobs/{report.job.id}/retry" if report.retryable else None for report in reports]
        found = [{**job, "retry_url": url} for job, url in zip(found, urls, strict=True)]
    return answer({"jobs": found, "next_cursor": following or None})


def _limit(text: str) -> int:
    if not text:
        return PAGE
    if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MAX_PAGE:
        return int(text)
    raise BadOption("limit", text, f"a whole number from 1 to {MAX_PAGE}")
