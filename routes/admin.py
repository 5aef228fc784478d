"""For operators, with a key that has the scope `admin`."""

from typing import Annotated, Self

from flask import Response, request
from pydantic import Field

from routes.http.answers import Body
from routes.http.context import service
from routes.http.jobs.job_answers import answer
from routes.http.jobs.job_views import CleanupView, JobView
from routes.http.names import names
from routes.jobs import job_view, jobs, known, page_size, restarted
from services.jobs.queries import JobSnapshot, Lister, check_kept


class AnyFailedJobView(JobView):
    """A job of any caller with a failed image."""

    key_id: Annotated[str | None, Field(description="Of the key or user that made it; null: made without one.")]
    key_name: Annotated[
        str | None, Field(description="A user's is the address. null: made without one, or it is there no more.")
    ]
    retry_url: Annotated[str | None, Field(description="POST there tries it again; null: it would fail again.")]

    @classmethod
    def of_any(cls, snapshot: JobSnapshot, key_name: str | None) -> Self:
        """Describe a failed job with its key."""
        path = f"{service().settings.public_base}/api/admin/failed-jobs/{snapshot.job.id}/retry"
        return cls(
            **dict(job_view(snapshot)),
            key_id=snapshot.job.owner,
            key_name=key_name,
            retry_url=path if snapshot.retryable_items else None,
        )


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
    named = names(snapshot.job.owner for snapshot in found)
    views = [AnyFailedJobView.of_any(snapshot, named.get(snapshot.job.owner or "")) for snapshot in found]
    return answer(AnyFailedJobsPage(jobs=views, next_cursor=following or None))


def retry_any_job(job_id: str) -> Response:
    """Restart the failed images of any caller's job, which count for its key when they are done."""
    snapshot = jobs().queries.any_job(known(job_id))
    check_kept(snapshot.job)
    return restarted(snapshot)
