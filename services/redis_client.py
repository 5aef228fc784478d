"""Redis, without waiting for it: it may be lost, silent, or its name may not resolve, and no caller must notice.

A name's resolution can't be bounded: `getaddrinfo` takes no timeout. So it runs on a thread of its own, which is left
behind when the time is up, and ends by itself.
"""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Protocol, cast

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.retry import Retry

from services.probe import Probe

REDIS_SECONDS: Final = 0.1  # connecting (its name's resolution included) and reading each, at most
KEEP_SECONDS: Final = 1.0  # what was found is told so long without asking again
STALE_SECONDS: Final = 5.0  # an older answer than this is none


def within(seconds: float, connect: Callable[[], socket.socket]) -> socket.socket:
    """The socket that `connect` opens, or its error; `TimeoutError` after `seconds`. One that comes later is closed."""
    opened: Future[socket.socket] = Future()

    def run() -> None:
        try:
            opened.set_result(connect())
        except Exception as exc:  # noqa: BLE001 - raised where it is waited for
            opened.set_exception(exc)

    threading.Thread(target=run, daemon=True, name="redis-connect").start()
    try:
        return opened.result(seconds)
    except TimeoutError:
        opened.add_done_callback(_close)
        raise


def _close(late: Future[socket.socket]) -> None:
    if late.exception() is None:
        late.result().close()


class _Connects(Protocol):
    def _connect(self) -> socket.socket: ...


class _Bounded:
    """A connection that is open within `REDIS_SECONDS` in all: resolution, every address of the name, and TLS."""

    def _connect(self) -> socket.socket:
        return within(REDIS_SECONDS, cast(_Connects, super())._connect)


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
