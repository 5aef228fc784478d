"""Turns uploaded files into a job: stores them, inserts the records, sends the first items. All of it or nothing."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

import orjson

from services.errors import Busy, DatabaseUnavailable, ServiceError
from services.jobs.dispatch import Dispatcher
from services.jobs.errors import IdempotencyKeyReused, QueueUnavailable
from services.jobs.queries import JobQueries
from services.jobs.store import JobStore
from services.jobs.tables import FAILED, QUEUED, Job, JobItem, item_id, new_job_id, original_key
from services.observability.tracing import TRACEPARENT, Kind, current, span
from services.storage.base import Storage


@dataclass(frozen=True)
class File:
    """An image of a submission: `name` is its relative path as it was sent; `error` is why the image is refused;
    `frames` are those of an animation.
    """

    name: str
    data: bytes = field(repr=False)
    error: ServiceError | None = None
    frames: int = 1


@dataclass(frozen=True)
class Submission:
    """A caller's images and options. The options are checked but raw: the worker parses them as the web server does.

    `owner` and `visitor` are those of `Job`.
    """

    kind: str
    files: Sequence[File]
    options: Mapping[str, object]
    caller: str
    owner: str | None = None
    visitor: str | None = None
    background: bytes | None = None
    idempotency_key: str | None = None
    callback_url: str | None = None

    @property
    def names(self) -> list[str]:
        """Return the images' names, in their order."""
        return [file.name for file in self.files]

    @property
    def frames(self) -> int:
        """Return how many images the job counts for: each frame of an animation is one."""
        return sum(file.frames for file in self.files)

    @cached_property
    def fingerprint(self) -> str:
        """Hash images, options and callback, in hexadecimal; empty without an idempotency key."""
        if not self.idempotency_key:
            return ""
        parts: list[object] = [self.kind, dict(self.options), self.callback_url]
        parts += [[file.name, hashlib.sha256(file.data).hexdigest()] for file in self.files]
        parts += [hashlib.sha256(self.background or b"").hexdigest()]
        return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


class JobSubmitter:
    """Creates jobs. A caller may have `max_waiting` images that have not ended."""

    def __init__(
        self, store: JobStore, queries: JobQueries, storage: Storage, dispatcher: Dispatcher, max_waiting: int
    ) -> None:
        self._store, self._queries, self.storage = store, queries, storage
        self._dispatcher, self._max_waiting = dispatcher, max_waiting

    def submit(self, submission: Submission) -> Job:
        """Return the new job, or the one made with the same idempotency key.

        Raises `QueueUnavailable`, `StorageUnavailable` (nothing of the job is left then), `DatabaseUnavailable`, `Busy`
        for a caller with too many waiting images, `IdempotencyKeyReused`. Concurrent requests of a caller do not count
        each other's images, so the limit may be exceeded by those.
        """
        if found := self.find(submission):
            return found
        with span("job", Kind.PRODUCER) as started:
            started.note({"job.kind": submission.kind, "job.items": len(submission.files)})
            return self._submit(submission)

    def _submit(self, submission: Submission) -> Job:
        in_flight = self._check_load(submission)
        self._dispatcher.check_queue()
        job, items = _records_of(submission)
        with self._deleted_on_error(job, items):
            self._store_files(submission, job, items)
        first = self._dispatcher.mark_first(items, in_flight)
        # Where this raises, the job may be recorded all the same: its files stay, for retention to delete if it is not.
        if not self._store.add(job, items):
            return self._lost_race(submission, job, items)
        if all(item.state == FAILED for item in items):
            # The job is recorded: recovery closes it if this fails.
            with contextlib.suppress(DatabaseUnavailable):
                self._store.close(job.id)
        self._send(job, items, first)
        return job

    def find(self, submission: Submission) -> Job | None:
        """Return the job made with the same idempotency key. Raises `IdempotencyKeyReused`."""
        if not submission.idempotency_key:
            return None
        found = self._queries.by_idempotency_key(submission.caller, submission.idempotency_key)
        if found and found.fingerprint != submission.fingerprint:
            # Callers without an API key share the name space of their address: the job may be a stranger's.
            raise IdempotencyKeyReused("it was first sent with other images or options" if submission.owner else "")
        return found

    def _check_load(self, submission: Submission) -> int:
        """Return the number of the caller's items in flight. Raises `Busy`."""
        waiting, in_flight = self._queries.load_of(submission.caller)
        if waiting + len(submission.files) > self._max_waiting:
            raise Busy(f"{waiting} of your images are not done yet; allowed with this job: {self._max_waiting}")
        return in_flight

    def _store_files(self, submission: Submission, job: Job, items: Sequence[JobItem]) -> None:
        for item, file in zip(items, submission.files, strict=True):
            if file.error is None:
                self.storage.put(item.original_key, file.data, "application/octet-stream")
        if job.background_key and submission.background is not None:
            self.storage.put(job.background_key, submission.background, "application/octet-stream")

    def _send(self, job: Job, items: Sequence[JobItem], first: Sequence[str]) -> None:
        """Send the marked items. Raises `QueueUnavailable` if none could be sent; the job is withdrawn then."""
        try:
            self._dispatcher.send_marked(first)
        except QueueUnavailable:
            # If the job can't be withdrawn, a part of it is in flight: recovery sends the rest.
            if self._store.withdraw(job.id):
                self._delete_files(job, items)
                raise

    def _lost_race(self, submission: Submission, job: Job, items: Sequence[JobItem]) -> Job:
        """Return the job that a concurrent request made with the same idempotency key. Raises `Busy`."""
        self._delete_files(job, items)
        if found := self.find(submission):
            return found
        raise Busy("the job with this Idempotency-Key was being removed; send it again")

    @contextlib.contextmanager
    def _deleted_on_error(self, job: Job, items: Sequence[JobItem]) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._delete_files(job, items)
            raise

    def _delete_files(self, job: Job, items: Sequence[JobItem]) -> None:
        keys = [item.original_key for item in items]
        if job.background_key:
            keys.append(job.background_key)
        with contextlib.suppress(ServiceError):
            self.storage.delete(keys)


def _records_of(submission: Submission) -> tuple[Job, list[JobItem]]:
    job_id, now = new_job_id(), datetime.now(UTC)
    job = Job(
        id=job_id,
        kind=submission.kind,
        owner=submission.owner,
        visitor=submission.visitor,
        caller=submission.caller,
        state=QUEUED,
        options=dict(submission.options),
        total=len(submission.files),
        background_key=original_key(job_id, "background") if submission.background is not None else None,
        idempotency_key=submission.idempotency_key,
        fingerprint=submission.fingerprint,
        created_at=now,
        callback_url=submission.callback_url,
        callback_attempts=0,
        traceparent=current().headers().get(TRACEPARENT),
    )
    items = [_item_of(job, file, position) for position, file in enumerate(submission.files, 1)]
    return job, items


def _item_of(job: Job, file: File, position: int) -> JobItem:
    return JobItem(
        id=item_id(job.id, position),
        job_id=job.id,
        position=position,
        caller=job.caller,
        name=file.name,
        state=FAILED if file.error else QUEUED,
        error_code=file.error.code if file.error else None,
        error_details=file.error.details if file.error else None,
        finished_at=job.created_at if file.error else None,
        progress=0,
        attempts=0,
        created_at=job.created_at,
        original_key=original_key(job.id, position),
        original_bytes=len(file.data),
        revision=0,
    )
