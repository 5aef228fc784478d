"""For operators, with a key of the scope `admin`."""

from typing import Annotated

from flask import Response, request
from pydantic import Field

from routes.http.answers import Body
from routes.http.jobs.job_answers import answer
from routes.http.jobs.job_views import CleanupView, JobView
from routes.jobs import job_view, jobs, page_size
from services.jobs.queries import Lister


class AnyFailedJobView(JobView):
    """A job of any caller with a failed image."""

    key_id: Annotated[str | None, Field(description="Of the key that made it; null: made without one.")]


class AnyFailedJobsPage(Body):
    """A page of failed jobs; `next_cursor` is null on the last page."""

    jobs: list[AnyFailedJobView]
    next_cursor: str | None


def cleanup() -> Response:
    """Delete expired files and records now, instead of at the next interval."""
    return answer(CleanupView(removed=jobs().retention.run()))


def all_failed_jobs() -> Response:
    """List the jobs of all callers with a failed image, newest first."""
    limit, cursor = page_size(request.args.get("limit", "")), request.args.get("cursor", "")
    found, following = jobs().queries.page(Lister(everybody=True), limit, cursor, failed=True)
    views = [AnyFailedJobView(**dict(job_view(snapshot)), key_id=snapshot.job.owner) for snapshot in found]
    return answer(AnyFailedJobsPage(jobs=views, next_cursor=following or None))
