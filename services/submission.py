"""From files to a job: stored first, then written down, then sent on its way; or nothing of it is left."""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from services.dispatch import Dispatcher
from services.errors import BadRequest, Busy, DatabaseUnavailable, QueueUnavailable, ServiceError
from services.jobs import FAILED, QUEUED, Job, JobItem, item_id, new_job_id, original_key
from services.queue import Queue
from services.records import Records
from services.reports import Reports
from services.storage import Storage


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
        """The same for the same images, options and callback, in hexadecimal."""
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
        for a caller with too much waiting, `BadRequest` for an idempotency key that stood for something else.
        """
        fingerprint = submission.fingerprint()
        if found := self._same(submission, fingerprint):
            return found
        waiting = self._reports.waiting_of(submission.caller)
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
            added = self._records.add(job, items)
        except BaseException:
            self._forget(keys)
            raise
        if not added:  # somebody was quicker
            self._forget(keys)
            if found := self._same(submission, fingerprint):
                return found
            raise Busy("the job with this Idempotency-Key was being removed; send it again")
        if all(file.error for file in submission.files):
            with contextlib.suppress(DatabaseUnavailable):  # the sweep ends it
                self._records.close(job.id)
            return job
        return self._sent(job, keys)

    def _sent(self, job: Job, keys: Sequence[str]) -> Job:
        try:
            self._dispatcher.send_next(job.caller)
        except DatabaseUnavailable:
            pass  # it is written down: the sweep sends it
        except QueueUnavailable:
            self._records.remove(job.id)
            self._forget(keys)
            raise
        return job

    def _same(self, submission: Submission, fingerprint: str) -> Job | None:
        if not submission.idempotency_key:
            return None
        found = self._reports.by_idempotency_key(submission.caller, submission.idempotency_key)
        if found and found.fingerprint != fingerprint:
            raise BadRequest("this Idempotency-Key was sent before, with other images or options", "Take a new one")
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
