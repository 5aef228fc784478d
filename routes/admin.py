"""For operators, with a key of the scope `admin`."""

from flask import Response

from routes.http.jobs.job_answers import answer
from routes.http.jobs.job_views import CleanupView
from routes.jobs import jobs


def cleanup() -> Response:
    """Delete expired files and records now, instead of at the next interval."""
    return answer(CleanupView(removed=jobs().retention.run()))
