"""The Redis that quotas are counted in."""

import time
from typing import Final

from limits.storage import RedisStorage

# After a failure; longer than a request waits for its quota.
PAUSE_SECONDS: Final = 1.0


class QuotaStorage(RedisStorage):
    """Flask-Limiter's storage for Redis, registered by its class in place of the library's. It counts no request twice.

    Redis may have counted a hit whose answer comes too late. Flask-Limiter then asks at once whether Redis works, and
    would count the same request in Redis again.
    """

    STORAGE_SCHEME = RedisStorage.STORAGE_SCHEME
    _failed_at = float("-inf")

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        try:
            return super().incr(key, expiry, amount)
        except Exception:
            self._failed_at = time.monotonic()
            raise

    def check(self) -> bool:
        return time.monotonic() - self._failed_at > PAUSE_SECONDS and super().check()
