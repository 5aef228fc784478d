"""What a worker does with one item: claim it, run the pipeline under a lease that it renews, store, tell the record."""

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog

from services.capacity.deadline import Deadline
from services.errors import Busy, DatabaseUnavailable, ServiceError
from services.imaging.options import Options
from services.imaging.pipeline import Result
from services.jobs.dispatch import Dispatcher
from services.jobs.retry import Retries
from services.jobs.store import Claim, Records
from services.jobs.tables import result_key
from services.jobs.tally import OK, Tally
from services.removal import Remover
from services.storage.base import Storage
from services.storage.errors import StorageUnavailable

TICK_SECONDS: Final = 1.0
TELL_SECONDS: Final = 0.5
STORAGE_SECONDS: Final = 1.0
PROGRESS: Final = {"queue": 0, "decode": 5, "segment": 20, "refine": 50, "compose": 75, "encode": 80, "store": 95}
log = structlog.get_logger("worker")
T = TypeVar("T")


@dataclass(frozen=True)
class Terms:
    """Seconds that a lease lasts, seconds that one try may take, and how often an item is tried."""

    lease_seconds: float
    soft_seconds: float
    retries: Retries


class Lease:
    """A claim kept alive by a thread; `lost` when it was taken away (cancelled, given to another) or ran out."""

    def __init__(self, records: Records, claim: Claim, seconds: float) -> None:
        self._records, self._claim, self._seconds = records, claim, seconds
        self._stage: str | None = None
        self._good_until = time.monotonic() + seconds
        self._lost, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def lost(self) -> bool:
        """Whether the item is no longer this worker's."""
        return self._lost.is_set()

    def note_stage(self, stage: str) -> None:
        """What is being done; the record hears of it with the next renewal."""
        self._stage = stage

    def _keep(self) -> None:
        while not self._done.wait(min(TICK_SECONDS, self._seconds / 3)):
            asked = time.monotonic()
            try:
                stage = self._stage
                held = self._records.renew(self._claim, self._seconds, stage, PROGRESS.get(stage or "", 0))
            except DatabaseUnavailable:
                held = asked < self._good_until
            else:
                self._good_until = asked + self._seconds
            if not held:
                self._lost.set()
                return


class Worker:
    """One process that works on items, one at a time."""

    def __init__(
        self,
        *,
        records: Records,
        dispatcher: Dispatcher,
        storage: Storage,
        remover: Remover,
        terms: Terms,
        tally: Tally | None = None,
    ) -> None:
        self._tally = tally or Tally()
        self._records, self._dispatcher, self._storage = records, dispatcher, storage
        self._remover, self._terms = remover, terms

    def run(self, item_id: str) -> None:
        """Work on the item, if nobody else does or has. What goes wrong ends in its record, or the sweep sees it.

        Raises `DatabaseUnavailable` where the database was away for as long as a lease before it had begun.
        """
        token = f"{socket.gethostname()[:100]}:{os.getpid()}:{uuid.uuid4().hex}"
        claim = self._insist(lambda: self._records.claim(item_id, token, self._terms.lease_seconds))
        if claim is None:
            log.debug("not to be done", item=item_id)
            return
        structlog.contextvars.bind_contextvars(item=item_id, attempt=claim.item.attempts)
        start = time.perf_counter()
        try:
            outcome = self._work(claim)
            seconds = time.perf_counter() - start
            log.info("item", outcome=outcome, duration_ms=round(seconds * 1000, 1))
            self._count(claim, outcome, seconds)
        finally:
            structlog.contextvars.clear_contextvars()
        self._go_on(claim)

    def _count(self, claim: Claim, outcome: str, seconds: float) -> None:
        item = claim.item
        wait = None
        if item.started_at and item.attempts == 1:
            wait = max(0.0, (item.started_at - item.created_at).total_seconds())
        if outcome != "lost":  # whoever took it away counts it
            self._tally.item(OK if outcome == "finished" else outcome, wait, seconds)

    def _work(self, claim: Claim) -> str:
        with Lease(self._records, claim, self._terms.lease_seconds) as lease:
            try:
                result = self._remove(claim, lease)
                key = result_key(claim.job.id, claim.item.position, result.format.extension)
                lease.note_stage("store")
                if not lease.lost():
                    self._storage.put(key, result.data, result.format.mimetype)
            except Exception as exc:  # noqa: BLE001 - its record must hear of it, whatever it is
                return self._failed(claim, exc, lost=lease.lost())
            if self._tell(lambda: self._records.finish(claim, key, described(result))):
                return "finished"
            self._forget_cancelled(claim, key)
            return "lost"

    def _remove(self, claim: Claim, lease: Lease) -> Result:
        options = Options.parse(claim.job.options)
        data = self._read(claim.item.original_key)
        background = self._read(claim.job.background_key) if claim.job.background_key else None
        deadline = Deadline(self._terms.soft_seconds, lease.lost)
        return self._remover.remove(data, options, background=background, deadline=deadline, on_step=lease.note_stage)

    def _failed(self, claim: Claim, exc: Exception, *, lost: bool) -> str:
        if lost:
            return "lost"
        if isinstance(exc, (MemoryError, OSError)):
            exc = Busy(f"the worker has run into a limit ({type(exc).__name__})")
        if not isinstance(exc, ServiceError):
            log.error("unexpected error", exc_info=exc)
            exc = ServiceError()
        error, delay = exc, self._terms.retries.delay(claim.item.attempts)
        if isinstance(error, StorageUnavailable):
            time.sleep(STORAGE_SECONDS)  # the next image would fail as well, and all that wait lose a try
        if error.retryable and delay is not None:
            self._tell(lambda: self._records.put_back(claim, error.code, error.details, delay))
            return f"again: {error.code}"
        self._tell(lambda: self._records.fail(claim, error.code, error.details))
        return error.code

    def _tell(self, say: Callable[[], bool]) -> bool:
        """Say it to the record; false where that was not possible while the lease lasted: then the sweep takes over."""
        try:
            return self._insist(say)
        except DatabaseUnavailable:
            return False

    def _insist(self, say: Callable[[], T]) -> T:
        """Say it to the record; again while the database is lost, for as long as a lease. Raises
        `DatabaseUnavailable`."""
        end = time.monotonic() + self._terms.lease_seconds
        while True:
            try:
                return say()
            except DatabaseUnavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(TELL_SECONDS)

    def _forget_cancelled(self, claim: Claim, key: str) -> None:
        """A result that came after its job was cancelled. One that came after another worker's is that one's too."""
        with contextlib.suppress(ServiceError):
            if self._records.is_cancelled(claim.item.id):
                self._storage.delete([key])

    def _go_on(self, claim: Claim) -> None:
        """End the job if this was its last item, and send the next one on its way; what fails here the sweep does."""
        with contextlib.suppress(DatabaseUnavailable):
            self._records.close(claim.job.id)
        self._dispatcher.try_next(claim.job.caller)

    def _read(self, key: str) -> bytes:
        with self._storage.open(key) as opened:
            return b"".join(opened)


def described(result: Result) -> dict[str, Any]:
    """What a record tells of a result: px, bytes, ms."""
    return {
        "format": result.format.value,
        "mimetype": result.format.mimetype,
        "width": result.width,
        "height": result.height,
        "bytes": len(result.data),
        "original_format": result.original_format,
        "original_width": result.original_width,
        "original_height": result.original_height,
        "original_bytes": result.original_bytes,
        "model": result.model,
        "confidence": round(result.confidence, 3),
        "timings_ms": {name: round(ms, 1) for name, ms in result.timings.items()},
    }
