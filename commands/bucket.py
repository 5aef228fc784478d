"""Watches the objects below a prefix of an S3 bucket: each picture becomes a job, and its result an object."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import click

from commands.image_options import SUFFIXES, format_for
from services.errors import Busy, ServiceError, UploadTooLarge, all_errors
from services.imaging.formats import Format
from services.jobs.submit import File, Submission
from services.jobs.tables import ENDED, FINISHED, SINGLE, Job
from services.storage.base import Storage, Stored, is_key, read_whole
from services.storage.errors import ResultExpired

if TYPE_CHECKING:
    from bootstrap.jobs import JobServices

# Jobs of this watcher that have not ended; further objects wait for the next check.
MAX_OPEN: Final = 100
FAILED: Final = "failed"
# When an object of the target was stored; None: there is none.
Done = Callable[[str], datetime | None]


@dataclass(frozen=True)
class Place:
    """A prefix of a bucket; it is empty or ends with a slash."""

    storage: Storage
    bucket: str
    prefix: str

    def listed(self) -> Iterator[Stored]:
        """Yield the objects below the prefix. Raises `StorageUnavailable`."""
        return self.storage.list(self.prefix)


@dataclass
class BucketWatch:
    """Turns the objects of `source` into jobs and their results into objects of `target`.

    What is done is known from the target alone: a result, or the reason of a failure, that is not older than its
    object. A job's idempotency key names the object as it is, so that watchers beside each other, and one that was
    started again, share one job.
    """

    source: Place
    target: Place
    jobs: JobServices
    options: Mapping[str, object]
    chosen: Format
    max_bytes: int
    background: bytes | None = None
    _open: dict[str, tuple[Stored, str]] = field(default_factory=dict)
    _left_out: set[str] = field(default_factory=set)

    @property
    def room(self) -> int:
        """How many more objects can become jobs now."""
        return MAX_OPEN - len(self._open)

    def look(self) -> None:
        """Submit what is new, and store the results that are there. Raises `ServiceError`: the next look goes on."""
        done = {stored.key: stored.modified for stored in self.target.listed()}
        self._take(self.source.listed(), done.get)

    def look_at(self, keys: Iterable[str]) -> None:
        """Do what `look` does for these objects alone, wherever they are, and for the jobs that are open."""
        below = [key for key in keys if key.startswith(self.source.prefix) and is_key(key)]
        found = [stored for key in below if (stored := find(self.source.storage, key))]
        self._take(found, self._stored_at)

    def _take(self, listed: Iterable[Stored], done: Done) -> None:
        self._settle_open(done)
        waiting = {stored.key for stored, _ in self._open.values()}
        for stored in listed:
            if not self.room:
                return
            if stored.key in waiting or not self._is_picture(stored):
                continue
            if not self._is_done(stored, done):
                self._submit(stored)

    def _stored_at(self, key: str) -> datetime | None:
        stored = find(self.target.storage, key)
        return stored.modified if stored else None

    def _is_done(self, stored: Stored, done: Done) -> bool:
        moments = (done(key) for key in (self._result_key(stored), self._reason_key(stored)))
        return any(moment and moment >= stored.modified for moment in moments)

    def _is_picture(self, stored: Stored) -> bool:
        """Return whether the object is to be worked on; say once which pictures have a name that can't be."""
        same_bucket = self.source.bucket == self.target.bucket
        if same_bucket and self.target.prefix and stored.key.startswith(self.target.prefix):
            return False
        if PurePosixPath(stored.key).suffix.lower() not in SUFFIXES:
            return False
        if not is_key(self._result_key(stored)) or not is_key(stored.key):
            if stored.key not in self._left_out:
                click.echo(
                    f"Left out: {stored.key!r:.200} has other characters than letters, digits, '.', '_', '-', '/'"
                )
                self._left_out.add(stored.key)
            return False
        return True

    def _submit(self, stored: Stored) -> None:
        try:
            if stored.size > self.max_bytes:
                raise UploadTooLarge(
                    f"the object has {stored.size} bytes; allowed: {self.max_bytes} (MAX_CONTENT_LENGTH)"
                )
            job = self.jobs.submitter.submit(self._submission(stored))
        except Busy:
            raise
        except ServiceError as exc:
            if exc.status >= 500:
                raise
            self._note_failure(stored, exc.code, str(exc))
            return
        self._open[job.id] = (stored, self._result_key(stored))

    def _submission(self, stored: Stored) -> Submission:
        name = f"{self.source.bucket}/{stored.key}"
        version = f"{name}|{stored.size}|{stored.modified.isoformat()}|{self.target.bucket}/{self._result_key(stored)}"
        version += f"|{sorted(self.options.items())}|{hashlib.sha256(self.background or b'').hexdigest()}"
        return Submission(
            kind=SINGLE,
            files=[File(PurePosixPath(stored.key).name, read_whole(self.source.storage, stored.key))],
            options=self._options_for(stored),
            caller=f"bucket:{self.source.bucket}"[:64],
            background=self.background,
            idempotency_key=hashlib.sha256(version.encode()).hexdigest(),
        )

    def _options_for(self, stored: Stored) -> Mapping[str, object]:
        """Return the options of an object; its result's name says the format that `auto` means."""
        if self.chosen is not Format.AUTO:
            return self.options
        return {**self.options, "format": format_for(self.chosen, PurePosixPath(stored.key)).value}

    def _settle_open(self, done: Done) -> None:
        """Store the results of jobs that have ended, or the reasons of their failure, unless another watcher has."""
        for job_id, (stored, result_key) in list(self._open.items()):
            try:
                snapshot = self.jobs.queries.unexpired(job_id, None)
                if snapshot.job.state not in ENDED:
                    continue
                if not self._is_done(stored, done):
                    self._settle(snapshot.job, snapshot.items[0], stored, result_key)
            except ResultExpired:
                # Its files were deleted before they were copied: the next check submits it again.
                self.jobs.retention.erase(job_id)
            except ServiceError as exc:
                if exc.status >= 500:
                    raise
            del self._open[job_id]

    def _settle(self, job: Job, item: Any, stored: Stored, result_key: str) -> None:
        if job.state == FINISHED:
            data = read_whole(self.jobs.submitter.storage, item.result_key)
            self.target.storage.put(result_key, data, item.result.mimetype)
            click.echo(f"{now_text()} done {stored.key} -> {result_key}")
            return
        code = item.error_code or job.state
        self._note_failure(stored, code, explain(code, item.error_details or ""))

    def _note_failure(self, stored: Stored, code: str, text: str) -> None:
        self.target.storage.put(self._reason_key(stored), f"{code}: {text}\n".encode(), "text/plain; charset=utf-8")
        click.echo(f"{now_text()} failed {stored.key}: {text}")

    def _result_key(self, stored: Stored) -> str:
        inner = PurePosixPath(stored.key[len(self.source.prefix) :])
        return f"{self.target.prefix}{inner.with_suffix('.' + format_for(self.chosen, inner).extension)}"

    def _reason_key(self, stored: Stored) -> str:
        return f"{self.target.prefix}{FAILED}/{stored.key[len(self.source.prefix) :]}.txt"


def find(storage: Storage, key: str) -> Stored | None:
    """Return the object of this key, if there is one. Raises `StorageUnavailable`."""
    listed = storage.list(key) if is_key(f"{key}x") else iter(())
    return next((stored for stored in listed if stored.key == key), None)


def explain(code: str, details: str) -> str:
    """Return an error's text and what to do about it."""
    kind = next((error for error in all_errors() if error.code == code), None)
    found = kind(details) if kind else None
    return f"{found}. {found.solution}." if found else details or code


def now_text() -> str:
    """Return the time of day for a line of the log."""
    return time.strftime("%Y-%m-%d %H:%M:%S")
