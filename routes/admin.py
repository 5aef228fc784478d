"""For operators, with a key of the scope `admin`."""

from flask import Response

from routes.http.context import service
from routes.http.job_answers import answer
from routes.http.job_views import CleanupView
from routes.jobs import jobs
from services.jobs.retention import Retention


def cleanup() -> Response:
    """Delete expired files and records now, instead of at the next interval."""
    settings = service().settings
    removed = Retention(jobs().store, service().storage, settings.cleanup_older_than_seconds).run()
    return answer(CleanupView(removed=removed))
