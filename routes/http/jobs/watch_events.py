"""Streams the changes of many jobs over one connection, as server-sent events."""

import contextlib
import hmac
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from flask import Response, request
from pydantic import Field

from bootstrap.jobs import JobServices
from routes.http.answers import Body, Count
from routes.http.context import service
from routes.http.jobs.item_views import ItemState, Status
from routes.http.jobs.job_answers import encoded
from routes.http.jobs.job_events import KEEP_ALIVE_SECONDS, MAX_STREAM_SECONDS, POLL_SECONDS, RETRY_MS, stream_events
from services.errors import BadOption, ServiceError
from services.jobs.queries import JobQueries
from services.jobs.watch import Change, Watch

MAX_IDS: Final = 50
LAST_EVENT_ID: Final = "Last-Event-ID"
MARK_CHARS: Final = 16
# A stream spends at most a fifth of its time on queries.
REST: Final = 4


class ItemPlace(Body):
    i: Annotated[Count, Field(description="The image's position in its job, from 1.")]
    id: Annotated[str, Field(description="The image's `item_id`.")]


class ItemEvent(ItemState, ItemPlace):
    """One image that has changed."""


class JobEvent(Body):
    """The data of an event: a job as it is now, with the images that have changed; at first all of them."""

    job_id: str
    status: Status | Literal["unknown"]
    progress: Count = Field(le=100)
    eta_seconds: float | None
    items: list[ItemEvent]

    @classmethod
    def of(cls, change: Change, queries: JobQueries) -> Self:
        """Describe a change."""
        found = change.snapshot
        if found is None:
            return cls(job_id=change.job_id, status="unknown", progress=0, eta_seconds=None, items=[])
        items = [{"i": item.position, "id": item.id, **ItemEvent.fields_of(item)} for item in change.items]
        return cls(
            job_id=change.job_id,
            status=found.job.state,
            progress=found.progress,
            eta_seconds=queries.eta(found),
            items=[ItemEvent.model_validate(item) for item in items],
        )


@dataclass(frozen=True)
class _Stream:
    watch: Watch
    queries: JobQueries
    mark: str
    first: Sequence[Change]

    def pieces(self, stopping: Callable[[], bool]) -> Iterator[bytes]:
        """Yield the events until all jobs have ended. Where the jobs can't be read, the client reconnects."""
        began = sent_at = time.monotonic()
        yield b"retry: %d\n\n" % RETRY_MS
        with contextlib.suppress(ServiceError):
            for changes, seconds in self._looks():
                for change in changes:
                    sent_at = time.monotonic()
                    yield self._event(change)
                if self.watch.over or stopping() or time.monotonic() - began > MAX_STREAM_SECONDS:
                    return
                if time.monotonic() - sent_at > KEEP_ALIVE_SECONDS:
                    sent_at = time.monotonic()
                    yield b": still here\n\n"
                time.sleep(max(POLL_SECONDS, REST * seconds))

    def _looks(self) -> Iterator[tuple[Sequence[Change], float]]:
        """Yield the changes at each look, and the seconds that it took."""
        yield self.first, 0.0
        while True:
            start = time.monotonic()
            changes = list(self.watch.changes())
            yield changes, time.monotonic() - start

    def _event(self, change: Change) -> bytes:
        head = f"event: job\nid: {self.mark}{change.position}\ndata: "
        return head.encode() + encoded(JobEvent.of(change, self.queries)) + b"\n\n"


def watch_events(parts: JobServices, owner: str | None, caller: str) -> Response:
    """Stream the jobs of the query's `id`s: first as they are, then each change. It takes one place of the caller's.

    Raises `BadOption`, `Busy`, `DatabaseUnavailable`.
    """
    job_ids = _job_ids()
    watch = Watch(parts.queries, job_ids, owner)
    mark = _mark(job_ids)
    if is_reconnect():
        watch.resume(request.headers[LAST_EVENT_ID][MARK_CHARS:])
    stream = _Stream(watch, parts.queries, mark, list(watch.changes()))
    return stream_events(parts.listeners, caller, stream.pieces)


def is_reconnect() -> bool:
    """Return whether this request continues an earlier stream of the same jobs: it has the id of one of its events."""
    last = request.headers.get(LAST_EVENT_ID, "")
    return hmac.compare_digest(
        last[:MARK_CHARS].encode(), _mark(list(dict.fromkeys(request.args.getlist("id")))).encode()
    )


def _job_ids() -> list[str]:
    """Return the query's distinct ids. Raises `BadOption`."""
    found = _given_ids()
    if not 1 <= len(found) <= MAX_IDS:
        raise BadOption("id", f"given {len(found)} times", f"1 to {MAX_IDS} ids of jobs: ?id=…&id=…")
    return found


def _given_ids() -> list[str]:
    return list(dict.fromkeys(request.args.getlist("id")))


def _mark(job_ids: Sequence[str]) -> str:
    """Return what the ids of events of these jobs begin with; only this service can make it."""
    named = "\n".join(["events", *job_ids]).encode()
    return hmac.digest(service().settings.secret_key.encode(), named, "sha256").hex()[:MARK_CHARS]
