"""Counts usage in memory and writes it in the background; says how much of a monthly quota is used."""

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

import structlog

from services.api_keys.background_writer import BackgroundWriter
from services.api_keys.errors import MonthlyQuotaUsedUp
from services.api_keys.usage import (
    Counts,
    Slot,
    charged_since,
    delete_usage_before,
    month_of,
    today,
    write_usage,
)
from services.errors import DatabaseUnavailable
from services.persistence.database import Database
from services.persistence.ttl_cache import LruCache

# Other processes see this one's counts after this time at the latest.
FLUSH_SECONDS: Final = 2.0
# How long the database's count of a month is reused.
FRESH_SECONDS: Final = 0.8
MAX_CALLERS: Final = 10_000
log = structlog.get_logger("usage")


class UsageCounter:
    """The usage that one process counts. Opens nothing and starts no thread before something is counted."""

    def __init__(self, database: Database, retention_days: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`retention_days`: how long rows are kept."""
        self._database, self._retention_days, self._clock = database, retention_days, clock
        self._lock = threading.Lock()
        # Counts that are not in the database yet; the second are being written.
        self._pending: dict[Slot, Counts] = {}
        self._writing: dict[Slot, Counts] = {}
        # Images that requests of this process are working on, by caller.
        self._reserved: dict[str, int] = {}
        # Deleted callers: caches accept their keys and sessions for a moment longer, and requests are in progress.
        self._dropped: LruCache[bool] = LruCache(MAX_CALLERS)
        self._months: LruCache[tuple[int, int]] = LruCache(MAX_CALLERS)
        self._flushes = 0
        self._cleaned: date | None = None
        self._flush_lock = threading.Lock()
        self._writer = BackgroundWriter(self.flush, FLUSH_SECONDS, "usage")

    def add(self, caller: str, endpoint: str, counts: Counts) -> None:
        """Count usage of this moment. It is written within `FLUSH_SECONDS`."""
        slot = Slot(caller, today(), endpoint[:100])
        with self._lock:
            if self._dropped.get(caller, 0.0):
                return
            self._pending[slot] = self._pending.get(slot, Counts()) + counts
        self._writer.wake()

    def drop(self, caller: str) -> None:
        """Count nothing more of a caller that is deleted, and write nothing of it."""
        with self._lock:
            self._dropped.set(caller, True, 0.0)
            self._pending = {slot: counts for slot, counts in self._pending.items() if slot.caller != caller}

    def used(self, caller: str) -> int:
        """Return how many charged images the caller has had this month, as far as this process knows.

        While the database is lost only what this process has counted is known.
        """
        first, _ = month_of(today())
        while True:
            flushes, written = self._written(caller, first)
            with self._lock:
                # Counts that were written in between are in neither of the two.
                if flushes == self._flushes:
                    return written + self._unwritten(caller, first)

    def reserve(self, caller: str, quota: int, images: int, waiting: int = 0) -> None:
        """Reserve images of the monthly quota until `release`; `waiting` are the caller's images in the queue.

        Raises `MonthlyQuotaUsedUp`, with nothing reserved.
        """
        used = self.used(caller) + waiting
        with self._lock:
            used += self._reserved.get(caller, 0)
            if used + images > quota:
                raise _used_up(used, quota, images)
            self._reserved[caller] = self._reserved.get(caller, 0) + images

    def release(self, caller: str, images: int) -> None:
        """Give reserved images back: they are counted now, or have failed."""
        with self._lock:
            left = self._reserved.get(caller, 0) - images
            if left > 0:
                self._reserved[caller] = left
            else:
                self._reserved.pop(caller, None)

    def flush(self) -> bool:
        """Write what is pending. Return False where the database is lost: nothing is lost of the counts."""
        with self._flush_lock:
            with self._lock:
                self._writing, self._pending = self._pending, {}
            if not self._writing:
                return True
            try:
                write_usage(self._database, self._writing)
            except DatabaseUnavailable:
                log.warning("usage not written yet", rows=len(self._writing))
                self._put_back()
                return False
            with self._lock:
                self._writing = {}
                self._flushes += 1
            self._clean()
            return True

    def close(self) -> None:
        """Write what is left. Called when the process ends, before the database is closed."""
        self._writer.close()

    def _put_back(self) -> None:
        with self._lock:
            for slot, counts in self._writing.items():
                self._pending[slot] = self._pending.get(slot, Counts()) + counts
            self._writing = {}

    def _written(self, caller: str, first: date) -> tuple[int, int]:
        """Return the number of flushes, and what the database had after them; while it is lost the last known value."""
        name, asked = f"{caller} {first}", self._clock()
        with self._lock:
            flushes = self._flushes
        known = self._months.get(name, asked - FRESH_SECONDS)
        if known and known[0] == flushes:
            return known
        try:
            found = flushes, charged_since(self._database, caller, first)
        except DatabaseUnavailable:
            _, stale = self._months.get(name, 0.0) or (0, 0)
            return flushes, stale
        self._months.set(name, found, asked)
        return found

    def _unwritten(self, caller: str, first: date) -> int:
        return sum(
            counts.charged
            for counted in (self._pending, self._writing)
            for slot, counts in counted.items()
            if slot.caller == caller and slot.day >= first
        )

    def _clean(self) -> None:
        """Delete old rows, once a day."""
        if self._cleaned == today():
            return
        with contextlib.suppress(DatabaseUnavailable):
            delete_usage_before(self._database, today() - timedelta(days=self._retention_days))
            self._cleaned = today()


def _used_up(used: int, quota: int, images: int) -> MonthlyQuotaUsedUp:
    _, renewed = month_of(today())
    return MonthlyQuotaUsedUp(
        f"{used} images of {quota} are used or in progress, and this request needs {images}; "
        f"allowed now: {max(0, quota - used)}",
        f"Wait until {renewed} (UTC), or ask the operator for a larger quota",
    )
