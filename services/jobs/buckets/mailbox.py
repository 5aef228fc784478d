"""Passes the keys of new objects to the watches of their buckets, through the queue's Redis.

A key may arrive late, twice or never: a watch asks the bucket what is there, and checks all of it now and
then.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final

from services.jobs.errors import QueueUnavailable
from services.persistence.redis import RedisError, connect

# When each watch last called, by its place: bucket/prefix.
WATCHES: Final = "bg-remover:watches"
KEYS: Final = "bg-remover:watch:"
# A watch that has not called for this long is gone: its next check of the whole bucket finds what it missed.
GONE_SECONDS: Final = 60.0
# More keys than this are left to that check.
MAX_KEYS: Final = 50_000


class Mailbox:
    """Keys that watches have not taken yet. Making one opens nothing."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._client, self._clock = connect(url), clock

    def take(self, place: str, most: int) -> list[str]:
        """Return at most so many keys for the watch of a place, `bucket/prefix`, and say that it is there.

        Without Redis there are none.
        """
        try:
            self._client.hset(WATCHES, place, self._clock())
            taken: list[bytes] = self._client.spop(KEYS + place, most) if most > 0 else []  # type: ignore[assignment] # redis-py types it for async too
        except RedisError:
            return []
        return [key.decode() for key in taken]

    def put(self, objects: Iterable[tuple[str, str]]) -> int:
        """Pass objects, each a bucket and a key, to the watches of their places; return how many have one.

        Raises `QueueUnavailable`.
        """
        try:
            return self._put(list(objects))
        except RedisError as exc:
            raise QueueUnavailable(type(exc).__name__) from exc

    def _put(self, objects: list[tuple[str, str]]) -> int:
        since = self._clock() - GONE_SECONDS
        seen: dict[bytes, bytes] = self._client.hgetall(WATCHES)  # type: ignore[assignment] # redis-py types it for async too
        places = [place.decode() for place, at in seen.items() if float(at) >= since]
        watched = {(bucket, key) for bucket, key in objects if any(f"{bucket}/{key}".startswith(p) for p in places)}
        for place in places:
            keys = [key for bucket, key in watched if f"{bucket}/{key}".startswith(place)]
            if keys and int(self._client.scard(KEYS + place)) < MAX_KEYS:
                self._client.sadd(KEYS + place, *keys)
        return len(watched)
