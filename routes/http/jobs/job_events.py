"""Streams changes of jobs as server-sent events, until they end."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from flask import Response, request

from bootstrap.jobs import JobServices
from routes.http.context import caller_gone, extend_connection_deadline, service
from routes.http.jobs.job_answers import encoded
from routes.http.jobs.job_views import JobView
from services.errors import ServiceError
from services.jobs.listeners import Listeners
from services.jobs.queries import JobSnapshot
from services.jobs.tables import ACTIVE

EVENT_STREAM: Final = "text/event-stream"
POLL_SECONDS: Final = 0.5
# Then the client reconnects, as a browser's EventSource does on its own.
MAX_STREAM_SECONDS: Final = 55.0
KEEP_ALIVE_SECONDS: Final = 10.0
RETRY_MS: Final = 1000


def wants_events() -> bool:
    """Return whether the caller explicitly accepts events."""
    return EVENT_STREAM in request.accept_mimetypes.values()


def events(parts: JobServices, snapshot: JobSnapshot, owner: str | None, caller: str) -> Response:
    """Stream the job now and after each change. It takes a thread of the caller's share.

    Raises `Busy` when these are taken.
    """
    base = service().settings.public_base
    views = (JobView.of(found, base) for found in _looks(parts, snapshot, owner))
    return stream_events(parts.listeners, caller, lambda stopping: _stream(views, stopping))


def stream_events(
    listeners: Listeners, caller: str, stream: Callable[[Callable[[], bool]], Iterator[bytes]]
) -> Response:
    """Return the response of a stream, which is given a check whether it has to stop. Raises `Busy`."""
    listeners.enter(caller)
    held = contextlib.ExitStack()
    held.callback(listeners.leave, caller)
    held.enter_context(extend_connection_deadline(time.monotonic() + MAX_STREAM_SECONDS + KEEP_ALIVE_SECONDS))
    draining, gone = service().draining.is_set, caller_gone()
    response = Response(stream(lambda: draining() or gone()), mimetype=EVENT_STREAM)
    response.headers["Cache-Control"] = "no-store"
    # Nginx must not buffer events.
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(held.close)
    return response


def _looks(parts: JobServices, snapshot: JobSnapshot, owner: str | None) -> Iterator[JobSnapshot]:
    """Yield the job as it is at each look, until it can't be read: the client reconnects, and gets the error then."""
    with contextlib.suppress(ServiceError):
        while True:
            yield snapshot
            time.sleep(POLL_SECONDS)
            snapshot = parts.queries.job(snapshot.job.id, owner)


def _stream(views: Iterator[JobView], stopping: Callable[[], bool]) -> Iterator[bytes]:
    sent: JobView | None = None
    began = sent_at = time.monotonic()
    yield b"retry: %d\n\n" % RETRY_MS
    for view in views:
        if _without_eta(view) != sent:
            sent, sent_at = _without_eta(view), time.monotonic()
            yield b"event: %s\ndata: %s\n\n" % (view.status.encode(), encoded(view))
        if view.status not in ACTIVE or stopping() or time.monotonic() - began > MAX_STREAM_SECONDS:
            return
        if time.monotonic() - sent_at > KEEP_ALIVE_SECONDS:
            sent_at = time.monotonic()
            yield b": still here\n\n"


def _without_eta(view: JobView) -> JobView:
    """Drop the estimate, whose changes are no event."""
    return view.model_copy(update={"eta_seconds": None})
