"""Keys as a serving process sees them: looked up through a short memory, their uses counted without a write each."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

import structlog

from services.api_keys.keys import ApiKey, add_uses, find_key, key_id_of
from services.errors import DatabaseUnavailable
from services.persistence.database import Database

FRESH_SECONDS: Final = 0.8  # a revoked key must stop within a second
STALE_SECONDS: Final = 300.0  # how long a key seen before is good while the database is lost
FLUSH_SECONDS: Final = 60.0
MAX_KNOWN: Final = 10_000
MAX_UNKNOWN: Final = 1_000
Value = TypeVar("Value")
log = structlog.get_logger("keys")


class Recent(Generic[Value]):
    """The values set last, at most `size` of them, each with the time it was true."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[str, tuple[float, Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str, since: float) -> Value | None:
        """The value, if it was set at `since` or later."""
        found = self._values.get(name)
        return found[1] if found and found[0] >= since else None

    def set(self, name: str, value: Value, at: float) -> None:
        """Keep the value; the one set longest ago makes room."""
        with self._lock:
            self._values[name] = (at, value)
            self._values.move_to_end(name)
            if len(self._values) > self._size:
                self._values.popitem(last=False)

    def drop(self, name: str) -> None:
        """Forget the value."""
        with self._lock:
            self._values.pop(name, None)

    def __len__(self) -> int:
        return len(self._values)


class Keyring:
    """The keys of one process. Nothing is opened, and no thread started, before a key is used."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self.database = database
        self._clock = clock
        self._known: Recent[ApiKey] = Recent(MAX_KNOWN)
        self._unknown: Recent[bool] = Recent(MAX_UNKNOWN)
        self._uses: dict[str, tuple[int, datetime]] = {}
        self._lock = threading.Lock()
        self._used, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def find(self, text: str) -> ApiKey | None:
        """The record of this key, revoked and expired ones too (see `ApiKey.problem`); None for an unknown one.

        What the database said is believed for `FRESH_SECONDS`; while it is lost, what it said of a key that exists for
        `STALE_SECONDS`. Raises `DatabaseUnavailable`.
        """
        key_id = key_id_of(text)
        if key_id is None:
            return None
        record = self._look_up(key_id)
        return record if record and record.matches(text) else None

    def note_use(self, key: ApiKey) -> None:
        """Count a use. It reaches the database at once or, after another, within `FLUSH_SECONDS`."""
        with self._lock:
            count, _ = self._uses.get(key.id, (0, None))
            self._uses[key.id] = (count + 1, datetime.now(UTC))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="key-uses", daemon=True)
                self._thread.start()
        self._used.set()

    def close(self) -> None:
        """Write down the last uses and let go of the database. Called when the process ends."""
        self._closing.set()
        self._used.set()
        if self._thread:
            self._thread.join(5)
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

    def _run(self) -> None:
        while not self._closing.is_set():
            self._used.wait()
            self._used.clear()
            self._flush()
            self._closing.wait(FLUSH_SECONDS)
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            add_uses(self.database, uses)
        except DatabaseUnavailable:
            with self._lock:
                for key_id, (count, at) in uses.items():
                    newer, last = self._uses.get(key_id, (0, at))
                    self._uses[key_id] = (count + newer, last)
            self._used.set()
            log.warning("uses of keys not written yet", keys=len(uses))
