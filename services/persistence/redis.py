"""Redis clients with bounded waiting: Redis may be down, silent, or its name may not resolve, and no caller hangs.

`getaddrinfo` takes no timeout, so resolution runs on a thread of its own. When the time is up the thread is left
behind, and ends when the resolver returns.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar, cast

import structlog

from services.observability.background_check import BackgroundCheck
from services.observability.tracing import without_sdk

# Everything imports redis-py from here.
with without_sdk():
    from redis import Redis, RedisError
    from redis.backoff import NoBackoff
    from redis.connection import Connection, SSLConnection
    from redis.retry import Retry

__all__ = (
    "OptionalRedis",
    "Redis",
    "RedisError",
    "RedisProbe",
    "RedisUnavailable",
    "connect",
    "redis_options",
    "within",
)

# For connecting, resolution included, and for each read.
REDIS_SECONDS: Final = 0.1
# How long the probe's last answer is reused, and from what age on it no longer counts.
PROBE_KEEP_SECONDS: Final = 1.0
PROBE_STALE_SECONDS: Final = 5.0
# For a whole answer of an optional Redis, however slowly its bytes arrive.
OPTIONAL_REDIS_SECONDS: Final = 0.3
# How long an optional Redis is not asked after a failure.
CIRCUIT_OPEN_SECONDS: Final = 5.0

T = TypeVar("T")
log = structlog.get_logger("redis")


def within(seconds: float, ask: Callable[[], T], late: Callable[[T], None] = lambda _found: None) -> T:
    """Run `ask` on a thread and return its result or raise its error; `TimeoutError` after `seconds`.

    A result that arrives later is passed to `late`.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as exc:  # noqa: BLE001 - raised by answer.result
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
    socket_connect_timeout: float

    def _connect(self) -> socket.socket: ...


class _Bounded:
    """A connection that opens within its time-out in all: resolution, every address of the name, and TLS."""

    def _connect(self) -> socket.socket:
        seconds = cast(_Connects, self).socket_connect_timeout
        return within(seconds, cast(_Connects, super())._connect, socket.socket.close)


class BoundedConnection(_Bounded, Connection):
    pass


@lru_cache(maxsize=8)
def _tls_context(
    required: ssl.VerifyMode, check_name: bool, authorities: tuple[str | None, ...], own: tuple[str | None, ...]
) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = check_name
    context.verify_mode = required
    if any(authorities):
        context.load_verify_locations(*authorities)
    certificate, key, password = own
    if certificate:
        context.load_cert_chain(certificate, key, password)
    return context


class QuickSSLConnection(SSLConnection):
    """A TLS connection that does not read the system's certificates each time.

    That takes 20 ms of a processor, and on a busy machine longer than `REDIS_SECONDS`: there no connection would open.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The reason comes with the attempt to connect.
        with contextlib.suppress(OSError):
            self._context()

    def _context(self) -> ssl.SSLContext:
        authorities = self.ca_certs, self.ca_path, self.ca_data
        own = self.certfile, self.keyfile, self.certificate_password
        return _tls_context(self.cert_reqs, self.check_hostname, authorities, own)

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> ssl.SSLSocket:
        rare = (self.ssl_include_verify_flags, self.ssl_exclude_verify_flags, self.ssl_min_version, self.ssl_ciphers)
        if any(rare) or self.ssl_validate_ocsp or self.ssl_validate_ocsp_stapled:
            return cast(ssl.SSLSocket, super()._wrap_socket_with_ssl(sock))  # type: ignore[no-untyped-call]
        return self._context().wrap_socket(sock, server_hostname=self.host)


class BoundedSSLConnection(_Bounded, QuickSSLConnection):
    pass


def redis_options(url: str, seconds: float = REDIS_SECONDS) -> dict[str, Any]:
    """Return connection options with which no call takes longer than twice `seconds`, whatever fails."""
    options: dict[str, Any] = {
        "socket_connect_timeout": seconds,
        "socket_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_timeout": False,
    }
    # A Unix socket has no name to resolve.
    if not url.startswith("unix://"):
        options["connection_class"] = BoundedSSLConnection if url.startswith("rediss://") else BoundedConnection
    return options


def connect(url: str, seconds: float = REDIS_SECONDS) -> Redis:
    """Return a client that connects when it is first used, with the limits of `redis_options`."""
    return Redis.from_url(url, **redis_options(url, seconds))


class RedisProbe:
    """Checks in the background whether Redis answers."""

    def __init__(self, url: str) -> None:
        options = redis_options(url)
        # The probe's own thread may hang: it needs no second one for resolution.
        if options.pop("connection_class", None) is BoundedSSLConnection:
            options["connection_class"] = QuickSSLConnection
        self._client = Redis.from_url(url, **options)
        self._probe = BackgroundCheck(self._ping, "no answer yet", PROBE_KEEP_SECONDS)

    def problem(self) -> str:
        """Return the problem of Redis; empty when it answers."""
        found, age = self._probe.latest()
        return found if age < PROBE_STALE_SECONDS else f"no answer for {age:.0f} s"

    def _ping(self) -> str:
        try:
            self._client.ping()
        except Exception as exc:  # noqa: BLE001 - whatever it is, Redis can't be used
            return type(exc).__name__
        return ""


class RedisUnavailable(Exception):
    """Redis did not answer in time, or the circuit is open after a failure."""


class OptionalRedis:
    """A Redis that its callers can do without, behind a circuit breaker.

    An answer takes `OPTIONAL_REDIS_SECONDS` at most, connecting included. After a failure the circuit is open for
    `CIRCUIT_OPEN_SECONDS`, and callers fail immediately. Making one opens no connection.
    """

    def __init__(self, url: str) -> None:
        self._client = connect(url)
        self._open_until = 0.0

    def ask(self, question: Callable[[Redis], T]) -> T:
        """Run the question on the client and return its answer. Raises `RedisUnavailable`."""
        if time.monotonic() < self._open_until:
            raise RedisUnavailable
        try:
            return within(OPTIONAL_REDIS_SECONDS, lambda: question(self._client))
        except Exception as exc:
            self._open_until = time.monotonic() + CIRCUIT_OPEN_SECONDS
            log.warning("redis not usable", kind=type(exc).__name__, reason=str(exc)[:200])
            raise RedisUnavailable from exc
