"""Holds a worker's exclusive claim to an item and renews it in the background."""

import threading
import time
from types import TracebackType
from typing import Final, Self

from services.errors import DatabaseUnavailable
from services.jobs.store import Claim, JobStore

# A renewal also reports progress and notices a cancel, so this bounds how late either is seen.
RENEW_SECONDS: Final = 1.0
PROGRESS: Final = {"queue": 0, "decode": 5, "segment": 20, "refine": 50, "compose": 75, "encode": 80, "store": 95}


class Lease:
    """A claim kept alive by a thread; `lost` once the item is cancelled or taken away, or the lease expires."""

    def __init__(self, store: JobStore, claim: Claim, seconds: float) -> None:
        self._store, self._claim, self._seconds = store, claim, seconds
        self._stage: str | None = None
        self._share: float | None = None
        self._good_until = time.monotonic() + seconds
        self._lost, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def lost(self) -> bool:
        """Return whether the item no longer belongs to this worker."""
        return self._lost.is_set()

    def note_stage(self, stage: str) -> None:
        """Set the current stage; the next renewal writes it to the record."""
        self._stage = stage

    def note_frames(self, done: int, total: int) -> None:
        """Set how much of an animation is done: its stages follow each other for every frame."""
        self._share = done / total

    def _keep(self) -> None:
        while not self._done.wait(min(RENEW_SECONDS, self._seconds / 3)):
            asked = time.monotonic()
            if not self._renew(asked):
                self._lost.set()
                return

    def _renew(self, asked: float) -> bool:
        """Renew the lease. While the database is unavailable the lease stays valid until it expires."""
        stage = self._stage
        progress = PROGRESS.get(stage or "", 0)
        if self._share is not None:
            progress = round(self._share * PROGRESS["store"])
        try:
            held = self._store.renew(self._claim, self._seconds, stage, progress)
        except DatabaseUnavailable:
            return asked < self._good_until
        self._good_until = asked + self._seconds
        return held
