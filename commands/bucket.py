"""Watches the objects below a prefix of an S3 bucket: each picture becomes a job, and its result an object."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import click

from commands.image_options import SUFFIXES, format_for, parse_options
from commands.work import Stop
from config import Settings, load_settings
from services.errors import Busy, ServiceError, UploadTooLarge, all_errors
from services.imaging.formats import Format
from services.jobs.submit import File, Submission
from services.jobs.tables import ENDED, FINISHED, SINGLE, Job
from services.storage.base import Storage, Stored, is_key, read_whole
from services.storage.errors import ResultExpired
from services.storage.factory import BUCKET

if TYPE_CHECKING:
    from bootstrap import JobServices

# Jobs of this watcher that have not ended; further objects wait for the next look.
MAX_OPEN: Final = 100
TICK_SECONDS: Final = 0.5
FAILED: Final = "failed"


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

    def look(self) -> None:
        """Submit what is new, and store the results that are there. Raises `ServiceError`: the next look goes on."""
        done = {stored.key: stored.modified for stored in self.target.listed()}
        self._settle_open(done)
        waiting = {stored.key for stored, _ in self._open.values()}
        for stored in self.source.listed():
            if len(self._open) >= MAX_OPEN:
                return
            if stored.key in waiting or not self._is_picture(stored):
                continue
            if not self._is_done(stored, done):
                self._submit(stored)

    def _is_done(self, stored: Stored, done: Mapping[str, datetime]) -> bool:
        places = (self._result_key(stored), self._reason_key(stored))
        return any(key in done and done[key] >= stored.modified for key in places)

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

    def _settle_open(self, done: Mapping[str, datetime]) -> None:
        """Store the results of jobs that have ended, or the reasons of their failure, unless another watcher has."""
        for job_id, (stored, result_key) in list(self._open.items()):
            try:
                snapshot = self.jobs.queries.unexpired(job_id, None)
                if snapshot.job.state not in ENDED:
                    continue
                if not self._is_done(stored, done):
                    self._settle(snapshot.job, snapshot.items[0], stored, result_key)
            except ResultExpired:
                # Its files were deleted before they were copied: the next look submits it again.
                self.jobs.retention.erase(job_id)
            except ServiceError as exc:
                if exc.status >= 500:
                    raise
            del self._open[job_id]

    def _settle(self, job: Job, item: Any, stored: Stored, result_key: str) -> None:
        if job.state == FINISHED:
            data = read_whole(self.jobs.submitter.storage, item.result_key)
            self.target.storage.put(result_key, data, item.result.mimetype)
            click.echo(f"{_now()} done {stored.key} -> {result_key}")
            return
        code = item.error_code or job.state
        self._note_failure(stored, code, explain(code, item.error_details or ""))

    def _note_failure(self, stored: Stored, code: str, text: str) -> None:
        self.target.storage.put(self._reason_key(stored), f"{code}: {text}\n".encode(), "text/plain; charset=utf-8")
        click.echo(f"{_now()} failed {stored.key}: {text}")

    def _result_key(self, stored: Stored) -> str:
        inner = PurePosixPath(stored.key[len(self.source.prefix) :])
        return f"{self.target.prefix}{inner.with_suffix('.' + format_for(self.chosen, inner).extension)}"

    def _reason_key(self, stored: Stored) -> str:
        return f"{self.target.prefix}{FAILED}/{stored.key[len(self.source.prefix) :]}.txt"


def explain(code: str, details: str) -> str:
    """Return an error's text and what to do about it."""
    kind = next((error for error in all_errors() if error.code == code), None)
    found = kind(details) if kind else None
    return f"{found}. {found.solution}." if found else details or code


def parse_place(text: str, settings: Settings) -> Place:
    """Return the bucket and the prefix of `s3://bucket/prefix`. Raises `click.UsageError`."""
    from bootstrap import make_storage

    parts = urlsplit(text)
    prefix = parts.path.strip("/")
    if parts.scheme != "s3" or not BUCKET.fullmatch(parts.netloc) or (prefix and not is_key(prefix)):
        raise click.UsageError(f"{text!r:.200} is not s3://bucket/prefix")
    storage = make_storage(settings.model_copy(update={"storage_url": f"s3://{parts.netloc}"}))
    return Place(storage, parts.netloc, f"{prefix}/" if prefix else "")


def watch_bucket(source: str, target: str, pairs: tuple[str, ...], interval: float) -> None:
    """Watch until Ctrl-C. A service that can't be reached is tried again at the next look."""
    from bootstrap import configure_logging, make_database, make_job_services, make_storage

    options, background = parse_options(pairs, None)
    settings = load_settings()
    if not settings.jobs_enabled:
        raise click.UsageError(
            "a bucket's objects become jobs: set JOBS_ENABLED=true, and the DATABASE_URL, JOB_BROKER_URL and "
            "STORAGE_URL of the service whose workers do them"
        )
    configure_logging(settings)
    here, there = parse_place(source, settings), parse_place(target, settings)
    if (here.bucket, here.prefix) == (there.bucket, there.prefix):
        raise click.UsageError("the results need a prefix of their own: -o names the one that is watched")
    given = dict(pair.split("=", 1) for pair in pairs)
    given.pop("background_image", None)
    jobs = make_job_services(settings, make_storage(settings), make_database(settings))
    watch = BucketWatch(here, there, jobs, given, options.format, settings.max_content_length, background)
    stop = Stop()
    with stop.listening():
        click.echo(f"Watching {source}; Ctrl-C ends it.", err=True)
        while not stop:
            try:
                watch.look()
            except ServiceError as exc:
                click.echo(f"{_now()} {exc}; it is tried again", err=True)
            _wait(interval, stop)


def _wait(seconds: float, stop: Stop) -> None:
    end = time.monotonic() + seconds
    while not stop and (left := end - time.monotonic()) > 0:
        time.sleep(min(TICK_SECONDS, left))


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
