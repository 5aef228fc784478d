"""Caches API keys in a serving process, and collects their uses so that not each one is a write."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog

from services.api_keys.background_writer import BackgroundWriter
from services.api_keys.keys import ApiKey, add_uses, find_key, key_id_of
from services.errors import DatabaseUnavailable
from services.persistence.database import Database
from services.persistence.ttl_cache import LruCache

# A revoked key must stop working within a second.
FRESH_SECONDS: Final = 0.8
# How long a known key stays valid while the database is unavailable.
STALE_SECONDS: Final = 300.0
FLUSH_SECONDS: Final = 60.0
MAX_KNOWN: Final = 10_000
MAX_UNKNOWN: Final = 1_000
log = structlog.get_logger("keys")


class KeyCache:
    """The keys of one process. Opens nothing and starts no thread before a key is used."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self.database = database
        self._clock = clock
        self._known: LruCache[ApiKey] = LruCache(MAX_KNOWN)
        self._unknown: LruCache[bool] = LruCache(MAX_UNKNOWN)
        self._uses: dict[str, tuple[int, datetime]] = {}
        self._lock = threading.Lock()
        self._writer = BackgroundWriter(self._flush, FLUSH_SECONDS, "key-uses")

    def find(self, text: str) -> ApiKey | None:
        """Return the record of this key, also of a revoked or expired one (see `ApiKey.problem`); None if unknown.

        An answer of the database is valid for `FRESH_SECONDS`; while the database is unavailable, the record of an
        existing key for `STALE_SECONDS`. Raises `DatabaseUnavailable`.
        """
        key_id = key_id_of(text)
        if key_id is None:
            return None
        record = self._look_up(key_id)
        return record if record and record.matches(text) else None

    def note_use(self, key_id: str) -> None:
        """Count a use. The first one is written immediately, later ones within `FLUSH_SECONDS`."""
        with self._lock:
            count, _ = self._uses.get(key_id, (0, None))
            self._uses[key_id] = (count + 1, datetime.now(UTC))
        self._writer.wake()

    def close(self) -> None:
        """Write the last uses and close the database. Called when the process ends."""
        self._writer.close()
        self.database.close()

    def _look_up(self, key_id: str) -> ApiKey | None:
        asked = self._clock()
        record = self._known.get(key_id, asked - FRESH_SECONDS)
        if record or self._unknown.get(key_id, asked - FRESH_SECONDS):
            return record
        try:
            record = find_key(self.database, key_id)
        except DatabaseUnavailable:
            record = self._known.get(key_id, asked - STALE_SECONDS)
            if record is None:
                raise
            return record
        if record:
            self._known.set(key_id, record, asked)
        else:
            self._known.drop(key_id)
            self._unknown.set(key_id, True, asked)
        return record

    def _flush(self) -> bool:
        with self._lock:
            uses, self._uses = self._uses, {}
        if not uses:
            return True
        try:
            add_uses(self.database, uses)
        except DatabaseUnavailable:
            with self._lock:
                for key_id, (count, at) in uses.items():
                    newer, last = self._uses.get(key_id, (0, at))
                    self._uses[key_id] = (count + newer, last)
            log.warning("uses of keys not written yet", keys=len(uses))
            return False
        return True
