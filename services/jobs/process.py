"""Processes one item: claim it, run the pipeline under a lease, store the result, record the outcome, send the next."""

import contextlib
import os
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from services.capacity.deadline import Deadline
from services.capacity.resources import process_bytes
from services.errors import Busy, DatabaseUnavailable, ServiceError
from services.imaging.extras import Extras
from services.imaging.options import Options
from services.imaging.pipeline import Result
from services.jobs.dispatch import Dispatcher
from services.jobs.facts import ResultFacts
from services.jobs.lease import Lease
from services.jobs.metrics import OK, JobCounters
from services.jobs.pending import PendingWork
from services.jobs.results import files_of, put_result, result_facts
from services.jobs.retry import RetryPolicy
from services.jobs.store import Claim, JobStore
from services.jobs.tables import FAILED, FINISHED, QUEUED, result_key
from services.observability.tracing import Kind, Span, parent_of, span
from services.removal import Remover
from services.storage.base import Storage, read_whole
from services.storage.errors import StorageUnavailable

DATABASE_RETRY_SECONDS: Final = 0.5
STORAGE_PAUSE_SECONDS: Final = 1.0
log = structlog.get_logger("worker")
T = TypeVar("T")


@dataclass(frozen=True)
class Terms:
    """How items are processed: seconds that a lease lasts, seconds that one attempt may take, and the retry policy."""

    lease_seconds: float
    soft_seconds: float
    retry_policy: RetryPolicy


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: `finished`, `lost` to another process, or an error's code; `requeued` for another one.

    `facts` are those of a finished item's result.
    """

    code: str
    requeued: bool = False
    facts: ResultFacts | None = None

    def __str__(self) -> str:
        return f"again: {self.code}" if self.requeued else self.code

    @property
    def status(self) -> str:
        """Return the item's state after the attempt; `lost` where another process decides it."""
        if self.facts or self == LOST:
            return self.code
        return QUEUED if self.requeued else FAILED


LOST: Final = Outcome("lost")


class Worker:
    """One process that works on items, one at a time."""

    def __init__(
        self,
        *,
        store: JobStore,
        dispatcher: Dispatcher,
        storage: Storage,
        remover: Remover,
        terms: Terms,
        counters: JobCounters | None = None,
    ) -> None:
        self._counters = counters or JobCounters()
        self._store, self._pending = store, PendingWork(store.database)
        self._dispatcher, self._storage = dispatcher, storage
        self._remover, self._terms = remover, terms

    def run(self, item_id: str) -> None:
        """Process the item unless another worker does or has. The outcome goes into its record.

        Raises `DatabaseUnavailable` if the database stayed unavailable for as long as a lease before the claim.
        """
        token = f"{socket.gethostname()[:100]}:{os.getpid()}:{uuid.uuid4().hex}"
        claim = self._with_database_retry(lambda: self._store.claim(item_id, token, self._terms.lease_seconds))
        if claim is None:
            log.debug("not waiting", item=item_id)
            return
        structlog.contextvars.bind_contextvars(item=item_id, attempt=claim.item.attempts)
        try:
            with span("item", Kind.CONSUMER, parent_of(claim.job.traceparent)) as started:
                structlog.contextvars.bind_contextvars(**started.log_fields())
                self._run(claim, started)
        finally:
            structlog.contextvars.clear_contextvars()
        self._finish_job(claim)

    def _run(self, claim: Claim, started: Span) -> None:
        start = time.perf_counter()
        outcome = self._process(claim)
        seconds = time.perf_counter() - start
        log.info("item", **log_fields(claim, outcome, seconds))
        note_outcome(started, claim, outcome)
        self._count(claim, outcome, seconds)

    def _count(self, claim: Claim, outcome: Outcome, seconds: float) -> None:
        item = claim.item
        wait = None
        if item.started_at and item.attempts == 1:
            wait = max(0.0, (item.started_at - item.created_at).total_seconds())
        # The process that took a lost item away counts it.
        if outcome == LOST:
            return
        code = OK if outcome.facts else outcome.code
        self._counters.count_attempt(code, wait, seconds, memory=process_bytes(), requeued=outcome.requeued)

    def _process(self, claim: Claim) -> Outcome:
        """Remove the background, store the result and record the outcome."""
        with Lease(self._store, claim, self._terms.lease_seconds) as lease:
            extras = Extras(on_frame=lease.note_frames)
            try:
                result = self._remove(claim, lease, extras)
                key = result_key(claim.job.id, claim.item.position, result.format.extension)
                lease.note_stage("store")
                if not lease.lost():
                    put_result(self._storage, key, result, extras)
            except Exception as exc:  # noqa: BLE001 - whatever it is, it goes into the record
                return self._failed(claim, exc, lost=lease.lost())
            facts = result_facts(result)
            if self._try_record(lambda: self._store.finish(claim, key, facts)):
                return Outcome(FINISHED, facts=facts)
            self._delete_if_unwanted(claim, key)
            return LOST

    def _remove(self, claim: Claim, lease: Lease, extras: Extras) -> Result:
        options = Options.parse(claim.job.options)
        data = read_whole(self._storage, claim.item.original_key)
        background = read_whole(self._storage, claim.job.background_key) if claim.job.background_key else None
        deadline = Deadline(self._terms.soft_seconds, lease.lost)
        return self._remover.remove(
            data, options, background=background, deadline=deadline, on_step=lease.note_stage, extras=extras
        )

    def _failed(self, claim: Claim, exc: Exception, *, lost: bool) -> Outcome:
        """Requeue the item if a retry may help, else end it as failed. Return the outcome."""
        if lost:
            return LOST
        if isinstance(exc, (MemoryError, OSError)):
            exc = Busy(f"the worker has run into a limit ({type(exc).__name__})")
        if not isinstance(exc, ServiceError):
            log.error("unexpected error", exc_info=exc)
            exc = ServiceError()
        error, delay = exc, self._terms.retry_policy.delay(claim.item.attempts)
        if isinstance(error, StorageUnavailable):
            # The next item would fail too: without a pause all waiting items would use up their attempts.
            time.sleep(STORAGE_PAUSE_SECONDS)
        if error.retryable and delay is not None:
            self._try_record(lambda: self._store.requeue(claim, error.code, error.details, delay))
            return Outcome(error.code, requeued=True)
        self._try_record(lambda: self._store.fail(claim, error.code, error.details))
        return Outcome(error.code)

    def _try_record(self, write: Callable[[], bool]) -> bool:
        """Write to the record. False if the database was unavailable for as long as a lease: recovery takes over."""
        try:
            return self._with_database_retry(write)
        except DatabaseUnavailable:
            return False

    def _with_database_retry(self, write: Callable[[], T]) -> T:
        """Write to the record, and retry for as long as a lease. Raises `DatabaseUnavailable`."""
        end = time.monotonic() + self._terms.lease_seconds
        while True:
            try:
                return write()
            except DatabaseUnavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(DATABASE_RETRY_SECONDS)

    def _delete_if_unwanted(self, claim: Claim, key: str) -> None:
        """Delete a result stored after its item was cancelled or deleted.

        If another worker finished the item, the key is its.
        """
        with contextlib.suppress(ServiceError):
            if self._pending.is_unwanted(claim.item.id):
                self._storage.delete(files_of(key))

    def _finish_job(self, claim: Claim) -> None:
        """Close the job if this was its last item, and send the caller's next item; recovery does what fails here."""
        with contextlib.suppress(DatabaseUnavailable):
            self._store.close(claim.job.id)
        self._dispatcher.try_next(claim.job.caller)


def note_outcome(started: Span, claim: Claim, outcome: Outcome) -> None:
    """Add the facts of an attempt to its span: sizes in px and bytes."""
    started.note({"item.position": claim.item.position, "item.attempt": claim.item.attempts})
    started.note({"item.status": outcome.status, "image.bytes": claim.item.original_bytes})
    if facts := outcome.facts:
        started.note({"image.width": facts.original_width, "image.height": facts.original_height})
        started.note({"result.format": facts.format, "result.bytes": facts.bytes})
    else:
        started.fail(outcome.code)


def log_fields(claim: Claim, outcome: Outcome, seconds: float) -> dict[str, object]:
    """Return the log's fields for an attempt: memory of this process in MB; of a finished item sizes in px, and the
    original's bytes per byte of the result.
    """
    fields: dict[str, object] = {
        "job": claim.job.id,
        "task": claim.item.id,
        "status": outcome.status,
        "outcome": str(outcome),
        "seconds": round(seconds, 3),
        "duration_ms": round(seconds * 1000, 1),
        "memory_mb": round(process_bytes() / 1e6),
    }
    if facts := outcome.facts:
        fields["input_px"] = f"{facts.original_width}x{facts.original_height}"
        fields["output_px"] = f"{facts.width}x{facts.height}"
        fields["compression_ratio"] = round(facts.original_bytes / facts.bytes, 2)
    return fields
