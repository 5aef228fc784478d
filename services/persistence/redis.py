"""Redis, without waiting for it: it may be lost, silent, or its name may not resolve, and no caller must notice.

A name's resolution can't be bounded: `getaddrinfo` takes no timeout. So it runs on a thread of its own, which is left
behind when the time is up, and ends by itself.
"""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Protocol, TypeVar, cast

import redis
import structlog
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.retry import Retry

from services.observability.background_check import Probe

REDIS_SECONDS: Final = 0.1  # connecting (its name's resolution included) and reading each, at most
KEEP_SECONDS: Final = 1.0  # what was found is told so long without asking again
STALE_SECONDS: Final = 5.0  # an older answer than this is none
SPARE_SECONDS: Final = 0.3  # a whole answer of a Redis that can be done without, however slowly its bytes come
REST_SECONDS: Final = 5.0  # a Redis that can be done without, and did not answer, is left alone so long

T = TypeVar("T")
log = structlog.get_logger("redis")


def within(seconds: float, ask: Callable[[], T], late: Callable[[T], None] = lambda _found: None) -> T:
    """What `ask` finds, or its error; `TimeoutError` after `seconds`. What it finds later goes to `late`."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as exc:  # noqa: BLE001 - raised where it is waited for
            answer.set_exception(exc)

    def give(late_answer: Future[T]) -> None:
        if late_answer.exception() is None:
            late(late_answer.result())

    threading.Thread(target=run, daemon=True, name="redis").start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        answer.add_done_callback(give)
        raise


class _Connects(Protocol):
    def _connect(self) -> socket.socket: ...


class _Bounded:
    """A connection that is open within `REDIS_SECONDS` in all: resolution, every address of the name, and TLS."""

    def _connect(self) -> socket.socket:
        return within(REDIS_SECONDS, cast(_Connects, super())._connect, socket.socket.close)


class BoundedConnection(_Bounded, Connection):
    pass


class BoundedSSLConnection(_Bounded, SSLConnection):
    pass


def redis_options(url: str) -> dict[str, Any]:
    """How to connect to Redis so that no call takes longer than twice `REDIS_SECONDS`, whatever has become of it."""
    options: dict[str, Any] = {
        "socket_connect_timeout": REDIS_SECONDS,
        "socket_timeout": REDIS_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_timeout": False,
    }
    if not url.startswith("unix://"):  # which has no name to resolve
        options["connection_class"] = BoundedSSLConnection if url.startswith("rediss://") else BoundedConnection
    return options


class RedisProbe:
    """Whether Redis answers, without waiting for it."""

    def __init__(self, url: str) -> None:
        options = redis_options(url)
        options.pop("connection_class", None)  # the probe's own thread is the one that may hang
        self._client = redis.Redis.from_url(url, **options)
        self._probe = Probe(self._ping, "no answer yet", KEEP_SECONDS)

    def problem(self) -> str:
        """What is wrong with Redis; empty when it answers."""
        found, age = self._probe.look()
        return found if age < STALE_SECONDS else f"no answer for {age:.0f} s"

    def _ping(self) -> str:
        try:
            self._client.ping()
        except Exception as exc:  # noqa: BLE001 - whatever it is, Redis can't be used
            return type(exc).__name__
        return ""


class RedisLost(Exception):
    """Redis did not answer in time, or a moment ago."""


class SpareRedis:
    """A Redis that can be done without: an answer takes `SPARE_SECONDS` at most, connecting and all its bytes included;
    after a failure nobody waits for it for `REST_SECONDS`. Making one opens nothing."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, **redis_options(url))
        self._rest_until = 0.0

    def ask(self, question: Callable[[redis.Redis], T]) -> T:
        """What the question finds. Raises `RedisLost`."""
        if time.monotonic() < self._rest_until:
            raise RedisLost
        try:
            return within(SPARE_SECONDS, lambda: question(self._client))
        except Exception as exc:  # whatever it is, Redis can't be used
            self._rest_until = time.monotonic() + REST_SECONDS
            log.warning("redis not usable", kind=type(exc).__name__, reason=str(exc)[:200])
            raise RedisLost from exc
