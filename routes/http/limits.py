"""Quotas per API key, user or client address, by Flask-Limiter, in Redis or in memory."""

import contextlib
import hashlib
import ipaddress
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import structlog
from flask import Flask, Response, current_app
from flask_limiter import HeaderNames, Limiter, RateLimitExceeded, RequestLimit, RouteLimit
from limits import RateLimitItem, RateLimitItemPerHour

from bootstrap.stores import quota_storage
from config import Settings
from routes.http.auth import current_caller
from routes.http.callers import client_address, is_from_this_machine
from routes.http.context import service, state
from routes.http.quota_errors import quota_exceeded
from services.errors import Busy, RateLimited, ServiceError, ShuttingDown
from services.net.addresses import parse_address

# Flask-Limiter's Retry-After, which it also sends with a 200.
WAIT_HEADER: Final = "X-RateLimit-Wait"
LIMITER: Final = "background_remover_limiter"
log = structlog.get_logger("limits")


def client_key() -> str:
    """Return the key of the quota: the API key or the user; else the IPv4 address, or the /64 of an IPv6 caller."""
    caller = current_caller()
    if caller:
        return caller.quota_name
    address = parse_address(client_address())
    if address is None:
        # A unix socket's peer has no address.
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address.packed, 64), strict=False))


def make_limiter(settings: Settings) -> Limiter:
    """Return Flask-Limiter for this process. While Redis is lost, limits are kept in this process."""
    uri, options = quota_storage(settings)
    return Limiter(
        client_key,
        storage_uri=uri,
        storage_options=options,  # type: ignore[arg-type]
        strategy="fixed-window",
        key_prefix="bg-remover",
        headers_enabled=True,
        header_name_mapping={HeaderNames.RETRY_AFTER: WAIT_HEADER},
        in_memory_fallback_enabled=settings.rate_limit_storage == "redis",
        # Flask-Limiter raises where two threads notice at the same time that Redis is lost: the second one's request
        # goes uncounted instead of failing.
        swallow_errors=True,
        enabled=settings.rate_limit_enabled,
    )


def is_uncounted() -> bool:
    """Return whether no quota counts this request: it is the owner's, and its key has no limit of its own."""
    caller = current_caller()
    if service().settings.rate_limit_loopback or (caller and caller.rate_limit):
        return False
    return is_from_this_machine()


def by_quota(
    limiter: Limiter, default: str, setting: str = "", uncounted: Callable[[], bool] | None = None
) -> RouteLimit:
    """Return a view's quota: `default` for this endpoint, or the key's own limit, which counts over all endpoints.

    `setting` is the environment variable that sets `default`; requests that are `uncounted` are not counted.
    """

    def exempt() -> bool:
        return is_uncounted() or (uncounted is not None and uncounted())

    def limit() -> str:
        caller = current_caller()
        return (caller and caller.rate_limit) or default

    def scope(endpoint: str) -> str:
        caller = current_caller()
        return "key" if caller and caller.rate_limit else endpoint

    def set_by() -> str:
        caller = current_caller()
        return "" if caller and caller.rate_limit else setting

    # Flask-Limiter carries the message to `limit_exceeded`.
    return limiter.shared_limit(limit, scope, error_message=set_by, exempt_when=exempt)


def limit_exceeded(error: RateLimitExceeded) -> RateLimited:
    """Return our error for Flask-Limiter's."""
    limiter: Limiter = current_app.extensions[LIMITER]
    breached = next(limit for limit in limiter.current_limits if limit.breached)
    return quota_exceeded(breached, setting=str(error.description))


def is_free(error: ServiceError | None) -> bool:
    """Return whether a request that ended in this error costs nothing: the service refused it before any work.

    A request that failed later, or took too long, has cost as much as one that succeeded; otherwise the most expensive
    requests would be free.
    """
    return isinstance(error, Busy | ShuttingDown) or (error is not None and error.code.endswith("_unavailable"))


class Charge:
    """The cost of a request beyond the one that every request costs."""

    def __init__(self, limiter: Limiter, limits: list[RequestLimit]) -> None:
        self._limiter = limiter
        self._limits = limits

    def give_back(self, images: int) -> None:
        """Refund images on which no work was done, see `is_free`."""
        if images:
            for limit in self._limits:
                _hit(self._limiter, limit, -images)


def charge(images: int) -> Charge:
    """Count this request as `images` images.

    Raises `RateLimited`, with nothing charged, where the quota has fewer left.
    """
    limiter: Limiter = current_app.extensions[LIMITER]
    limits = limiter.current_limits  # none where quotas are turned off
    for number, limit in enumerate(limits if images > 1 else ()):
        if not _hit(limiter, limit, images - 1):
            for counted in limits[: number + 1]:
                _hit(limiter, counted, -images)
            raise quota_exceeded(limit, images=images)
    return Charge(limiter, limits)


@contextlib.contextmanager
def attempt(kind: str, subject: str, *, is_free_if_right: bool = True) -> Iterator[None]:
    """Count the block as an attempt on an account, whatever address it comes from.

    One that succeeds costs nothing unless `is_free_if_right` is false, and one that the service fails never does, see
    `is_free`. `subject` is an email address, of which the store gets a hash. Raises `RateLimited`.
    """
    limiter: Limiter = current_app.extensions[LIMITER]
    if not limiter.enabled:
        yield
        return
    most = RateLimitItemPerHour(service().settings.rate_limit_account_per_hour)
    names = "account", kind, hashlib.sha256(subject.encode()).hexdigest()[:32]
    if not _hit_item(limiter, most, names, 1):
        raise RateLimited(f"allowed for one account: {most}", "Wait an hour, or ask for a new password")
    try:
        yield
    except ServiceError as exc:
        if is_free(exc):
            _hit_item(limiter, most, names, -1)
        raise
    if is_free_if_right:
        _hit_item(limiter, most, names, -1)


@contextlib.contextmanager
def charged(images: int) -> Iterator[None]:
    """Count this request as `images` images, unless the block fails before any work. Raises `RateLimited`."""
    cost = charge(images)
    try:
        yield
    except ServiceError as exc:
        # The one image that every request costs is given back with the answer.
        cost.give_back(images - 1 if is_free(exc) else 0)
        raise


def _hit(limiter: Limiter, limit: RequestLimit, cost: int) -> bool:
    return _hit_item(limiter, limit.limit, limit.request_args, cost)


def _hit_item(limiter: Limiter, limit: RateLimitItem, names: Iterable[str], cost: int) -> bool:
    try:
        return bool(limiter.limiter.hit(limit, *names, cost=cost))
    except Exception as exc:  # noqa: BLE001 - any storage's error: a lost Redis fails no request
        log.warning("quota not charged", reason=type(exc).__name__)
        return True


def attach_limiter(app: Flask, limiter: Limiter) -> None:
    """Attach the limiter: costs are settled before its headers are written, Retry-After is set after."""
    app.extensions[LIMITER] = limiter
    app.after_request(_retry_after)
    limiter.init_app(app)

    @app.after_request
    def settle(response: Response) -> Response:
        """Settle the charge of 1: give it back where no work was done, or add what the request cost more."""
        cost = -1 if is_free(state().error) else state().cost - 1
        caller = current_caller()
        if cost > 0 and caller and caller.rate_limit:
            # A key's own limit counts requests, of all endpoints alike.
            return response
        for limit in limiter.current_limits if cost else ():
            _hit(limiter, limit, cost)
        return response


def _retry_after(response: Response) -> Response:
    wait = response.headers.pop(WAIT_HEADER, None)
    if wait is not None and response.status_code == 429:
        response.headers["Retry-After"] = str(max(1, int(wait) + 1))  # rounded up: not a moment too early
    reset = response.headers.get("X-RateLimit-Reset")
    if reset is not None:
        response.headers["X-RateLimit-Reset"] = str(max(int(time.time()), int(float(reset))))
    return response
