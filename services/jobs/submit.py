"""From files to a job: stored first, then written down, then sent on its way; or nothing of it is left."""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from services.errors import Busy, DatabaseUnavailable, ServiceError
from services.jobs.dispatch import Dispatcher
from services.jobs.errors import IdempotencyKeyReused, QueueUnavailable
from services.jobs.queries import Reports
from services.jobs.queue import Queue
from services.jobs.store import Records
from services.jobs.tables import FAILED, QUEUED, Job, JobItem, item_id, new_job_id, original_key
from services.storage.base import Storage


@dataclass(frozen=True)
class File:
    """An image that came with a job; `name` is a harmless file name without ending; `error` why it is refused."""

    name: str
    data: bytes = field(repr=False)
    error: ServiceError | None = None


@dataclass(frozen=True)
class Submission:
    """What a caller hands in. `options` are valid but raw, so that the worker reads them as the service would."""

    kind: str
    files: Sequence[File]
    options: Mapping[str, Any]
    caller: str
    owner: str | None = None
    background: bytes | None = None
    idempotency_key: str | None = None
    callback_url: str | None = None

    def fingerprint(self) -> str:
        """The same for the same images, options and callback, in hexadecimal; empty where nobody will ask for it."""
        if not self.idempotency_key:
            return ""
        told: list[object] = [self.kind, dict(self.options), self.callback_url]
        told += [[file.name, hashlib.sha256(file.data).hexdigest()] for file in self.files]
        told += [hashlib.sha256(self.background or b"").hexdigest()]
        return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


class Desk:
    """Takes jobs in. A caller may have `max_waiting` images that are not done yet."""

    def __init__(
        self,
        records: Records,
        reports: Reports,
        storage: Storage,
        queue: Queue,
        dispatcher: Dispatcher,
        max_waiting: int,
    ) -> None:
        self._records, self._reports, self._storage = records, reports, storage
        self._queue, self._dispatcher, self._max_waiting = queue, dispatcher, max_waiting

    def submit(self, submission: Submission) -> Job:
        """The new job, or the one that was made with the same idempotency key.

        Raises `QueueUnavailable`, `StorageUnavailable`, `DatabaseUnavailable` (nothing of the job is left then), `Busy`
        for a caller with too much waiting, `IdempotencyKeyReused`. What a caller hands in at the same moment is counted
        by none of its requests: so much more may wait.
        """
        fingerprint = submission.fingerprint()
        if found := self._same(submission, fingerprint):
            return found
        waiting, flying = self._reports.load_of(submission.caller)
        if waiting + len(submission.files) > self._max_waiting:
            raise Busy(f"{waiting} of your images are not done yet; allowed with this job: {self._max_waiting}")
        self._queue.check()
        job, items = _records_of(submission, fingerprint)
        keys = [item.original_key for item in items]
        try:
            for key, file in zip(keys, submission.files, strict=True):
                if file.error is None:
                    self._storage.put(key, file.data, "application/octet-stream")
            if job.background_key and submission.background is not None:
                keys.append(job.background_key)
                self._storage.put(job.background_key, submission.background, "application/octet-stream")
            first = self._dispatcher.mark_first(items, flying)
            added = self._records.add(job, items)
        except BaseException:
            self._forget(keys)
            raise
        if not added:  # somebody was quicker
            self._forget(keys)
            if found := self._same(submission, fingerprint):
                return found
            raise Busy("the job with this Idempotency-Key was being removed; send it again")
        if all(item.state == FAILED for item in items):
            with contextlib.suppress(DatabaseUnavailable):  # it is written down: the sweep ends it
                self._records.close(job.id)
        try:
            self._dispatcher.send_marked(first)
        except QueueUnavailable:
            if self._records.withdraw(job.id):
                self._forget(keys)
                raise
            # a part of it is on its way: the sweep sends the rest
        return job

    def _same(self, submission: Submission, fingerprint: str) -> Job | None:
        if not submission.idempotency_key:
            return None
        found = self._reports.by_idempotency_key(submission.caller, submission.idempotency_key)
        if found and found.fingerprint != fingerprint:
            raise IdempotencyKeyReused(f"job {found.id} was made with other images or options")
        return found

    def _forget(self, keys: Sequence[str]) -> None:
        with contextlib.suppress(ServiceError):
            self._storage.delete(keys)


def _records_of(submission: Submission, fingerprint: str) -> tuple[Job, list[JobItem]]:
    job_id, now = new_job_id(), datetime.now(UTC)
    job = Job(
        id=job_id,
        kind=submission.kind,
        owner=submission.owner,
        caller=submission.caller,
        state=QUEUED,
        options=dict(submission.options),
        total=len(submission.files),
        background_key=original_key(job_id, "background") if submission.background is not None else None,
        idempotency_key=submission.idempotency_key,
        fingerprint=fingerprint,
        created_at=now,
        callback_url=submission.callback_url,
        callback_attempts=0,
    )
    items = [
        JobItem(
            id=item_id(job_id, position),
            job_id=job_id,
            position=position,
            caller=submission.caller,
            name=file.name,
            state=FAILED if file.error else QUEUED,
            error_code=file.error.code if file.error else None,
            error_details=file.error.details if file.error else None,
            finished_at=now if file.error else None,
            progress=0,
            attempts=0,
            created_at=now,
            original_key=original_key(job_id, position),
            original_bytes=len(file.data),
        )
        for position, file in enumerate(submission.files, 1)
    ]
    return job, items
