"""Worker processes report in Redis that they are alive, what they work on, and how much they have done.

Nothing depends on it: the records of jobs are the truth, and operators look here. A process writes from a thread of its
own, so that no item waits for Redis.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from pydantic import TypeAdapter, ValidationError

from services.persistence.redis import OptionalRedis, RedisUnavailable, connect

HASH: Final = "bg-remover:workers"
BEAT_SECONDS: Final = 5.0
# A worker that has written nothing for this long hangs or is gone; later on it is no longer listed.
SILENT_SECONDS: Final = 20.0
FORGOTTEN_SECONDS: Final = 600.0
IDLE, BUSY, SILENT = "idle", "busy", "silent"


@dataclass(frozen=True)
class Seen:
    """A worker process as it was seen last; moments in seconds since 1970."""

    name: str
    item: str | None
    processed: int
    started_at: float
    seen_at: float

    def state(self, now: float) -> str:
        """Return `idle`, `busy`, or `silent` where it has written nothing for long."""
        if now - self.seen_at > SILENT_SECONDS:
            return SILENT
        return BUSY if self.item else IDLE


SEEN: Final = TypeAdapter(Seen)


class Presence:
    """The presence of this worker process. Opens nothing and starts no thread before `start`, after the fork."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._redis, self._clock = OptionalRedis(url), clock
        self._wake, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True, name="presence")
        now = clock()
        self._seen = Seen(f"{socket.gethostname()[:100]}:{os.getpid()}", None, 0, now, now)

    def start(self) -> None:
        """Begin to write, every `BEAT_SECONDS` and with each change."""
        self._thread.start()

    @contextmanager
    def working(self, item_id: str) -> Iterator[None]:
        """Work on an item; it counts as processed in the end, whatever its outcome."""
        self._change(replace(self._seen, item=item_id))
        try:
            yield
        finally:
            self._change(replace(self._seen, item=None, processed=self._seen.processed + 1))

    def stop(self) -> None:
        """Take this process off the list."""
        self._over.set()
        self._wake.set()
        # It must not write once more after this.
        self._thread.join(BEAT_SECONDS)
        with suppress(RedisUnavailable):
            self._redis.ask(lambda client: client.hdel(HASH, self._seen.name))

    def write(self) -> None:
        """Write what this process does now. Never raises."""
        seen = replace(self._seen, seen_at=self._clock())
        with suppress(RedisUnavailable):
            self._redis.ask(lambda client: client.hset(HASH, seen.name, SEEN.dump_json(seen)))

    def _change(self, seen: Seen) -> None:
        self._seen = seen
        self._wake.set()

    def _keep(self) -> None:
        while not self._over.is_set():
            self._wake.clear()
            self.write()
            self._wake.wait(BEAT_SECONDS)


class Workers:
    """All worker processes, as they last reported. Making one opens nothing."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._client, self._clock = connect(url), clock

    def list(self) -> list[Seen]:
        """Return the workers by name, without those that are long gone, which are forgotten. Raises `RedisError`."""
        written: dict[bytes, bytes] = self._client.hgetall(HASH)  # type: ignore[assignment] # redis-py types it for async too
        found = {name: _read(value) for name, value in written.items()}
        oldest = self._clock() - FORGOTTEN_SECONDS
        gone = [name for name, seen in found.items() if seen is None or seen.seen_at < oldest]
        if gone:
            self._client.hdel(HASH, *gone)
        return sorted((seen for seen in found.values() if seen and seen.seen_at >= oldest), key=lambda seen: seen.name)


def _read(value: bytes) -> Seen | None:
    """Return what a worker wrote; None if it was another version of this service."""
    try:
        return SEEN.validate_json(value)
    except ValidationError:
        return None
