"""For operators, with a key of the scope `admin`."""

from flask import Response

from routes.http.context import service
from routes.http.job_answers import answer
from routes.http.job_views import CleanupView
from routes.jobs import jobs
from services.jobs.retention import Retention


def cleanup() -> Response:
    """Remove what has had its time now, instead of when its turn comes."""
    settings = service().settings
    removed = Retention(jobs().store, service().storage, settings.cleanup_older_than_seconds).run()
    return answer(CleanupView(removed=removed))
