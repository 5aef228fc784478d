"""A job's changes as server-sent events, until its end."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
from flask import Response, request

from routes.http.context import Jobs, caller_gone, service
from routes.http.job_answers import described
from services.errors import Busy, ServiceError
from services.jobs.queries import JobSnapshot
from services.jobs.tables import ACTIVE

TYPE: Final = "text/event-stream"
LOOK_SECONDS: Final = 0.5
MOST_SECONDS: Final = 55.0  # then the client asks again, as a browser's EventSource does by itself
KEEP_ALIVE_SECONDS: Final = 10.0
RETRY_MS: Final = 1000


def wants_events() -> bool:
    """Whether the caller asks for events by name."""
    return TYPE in request.accept_mimetypes.values()


def events(parts: Jobs, report: JobSnapshot, owner: str | None) -> Response:
    """The job now and after each change. Raises `Busy` when as many are told as there are threads to spare."""
    if not parts.listeners.acquire(blocking=False):
        raise Busy("as many callers listen as can; ask for the status now and then instead")
    held = contextlib.ExitStack()
    held.callback(parts.listeners.release)
    held.enter_context(service().unhurried(time.monotonic() + MOST_SECONDS + KEEP_ALIVE_SECONDS))
    stopping, gone = service().draining.is_set, caller_gone()
    response = Response(_stream(parts, report, owner, lambda: stopping() or gone()), mimetype=TYPE)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # Nginx must not gather them
    response.call_on_close(held.close)
    return response


def _stream(parts: Jobs, report: JobSnapshot, owner: str | None, stopping: Callable[[], bool]) -> Iterator[bytes]:
    told: dict[str, Any] = {}
    began = spoken = time.monotonic()
    yield b"retry: %d\n\n" % RETRY_MS
    while True:
        now = described(report)
        if {**now, "eta_seconds": 0} != {**told, "eta_seconds": 0}:
            told, spoken = now, time.monotonic()
            yield b"event: %s\ndata: %s\n\n" % (now["status"].encode(), orjson.dumps(now))
        if report.job.state not in ACTIVE or stopping() or time.monotonic() - began > MOST_SECONDS:
            return
        if time.monotonic() - spoken > KEEP_ALIVE_SECONDS:
            spoken = time.monotonic()
            yield b": still here\n\n"
        time.sleep(LOOK_SECONDS)
        try:
            report = parts.reports.job(report.job.id, owner)
        except ServiceError:
            return  # the client asks again, and hears why
