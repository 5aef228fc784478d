"""Redis clients without a Redis: bounded waiting, and the circuit breaker of an optional one."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import redis

from services.persistence import redis as module
from services.persistence.redis import (
    OPTIONAL_REDIS_SECONDS,
    REDIS_SECONDS,
    BoundedConnection,
    BoundedSSLConnection,
    OptionalRedis,
    RedisProbe,
    RedisUnavailable,
    redis_options,
    within,
)
from tests.support.waiting import free_port, poll


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a Redis that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_within_returns_the_answer_or_raises_its_error() -> None:
    assert within(10, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 / 0)


def test_within_gives_a_late_answer_to_its_callback() -> None:
    answered, late = threading.Event(), threading.Event()
    found: list[int] = []

    def ask() -> int:
        answered.wait(10)
        return 7

    def note(answer: int) -> None:
        found.append(answer)
        late.set()

    with pytest.raises(TimeoutError):
        within(0.01, ask, note)
    assert found == []
    answered.set()
    assert late.wait(10)
    assert found == [7]


@pytest.mark.parametrize(
    ("url", "connection"),
    [("redis://h/0", BoundedConnection), ("rediss://h/0", BoundedSSLConnection), ("unix:///run/redis.sock", None)],
)
def test_every_connection_with_a_host_name_is_bounded(url: str, connection: type | None) -> None:
    options = redis_options(url)
    assert options.get("connection_class") is connection
    assert options["socket_timeout"] == options["socket_connect_timeout"] == REDIS_SECONDS
    assert not options["retry_on_timeout"]


def test_a_name_that_does_not_resolve_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: resolved.wait(10))
    client = redis.Redis.from_url("redis://a.slow.name/0", **redis_options("redis://a.slow.name/0"))
    start = time.monotonic()
    with pytest.raises(redis.TimeoutError):
        client.ping()
    assert time.monotonic() - start < 5
    resolved.set()


def failing(_client: redis.Redis) -> None:
    raise redis.ConnectionError("gone")


def test_a_failure_opens_the_circuit() -> None:
    optional = OptionalRedis(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(RedisUnavailable):
        optional.ask(failing)
    asked: list[redis.Redis] = []
    with pytest.raises(RedisUnavailable):
        optional.ask(asked.append)
    assert asked == []


def test_the_circuit_closes_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CIRCUIT_OPEN_SECONDS", 0)
    optional = OptionalRedis(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(RedisUnavailable):
        optional.ask(failing)
    assert optional.ask(lambda _client: 7) == 7


def test_an_optional_redis_is_given_up_when_it_is_silent(silent: str) -> None:
    start = time.monotonic()
    with pytest.raises(RedisUnavailable):
        OptionalRedis(silent).ask(lambda client: client.get("a"))
    assert time.monotonic() - start < 20 * OPTIONAL_REDIS_SECONDS


def test_the_probe_names_the_problem_without_waiting_for_it(silent: str) -> None:
    gone = RedisProbe(f"redis://127.0.0.1:{free_port()}/0")
    assert poll(lambda: gone.problem() == "ConnectionError", 10, "the problem of a Redis that is gone")
    mute = RedisProbe(silent)
    assert mute.problem() == "no answer yet"
    assert poll(lambda: mute.problem() == "TimeoutError", 10, "the problem of a silent Redis")
