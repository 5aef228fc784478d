"""Quotas per API key or client address, by Flask-Limiter, in Redis or in memory."""

import contextlib
import ipaddress
import time
from collections.abc import Iterator
from typing import Final

import structlog
from flask import Flask, Response, current_app, request
from flask_limiter import HeaderNames, Limiter, RequestLimit, RouteLimit

from bootstrap import quota_storage
from config import Settings
from routes.http.auth import caller_key
from routes.http.context import service, state
from services.errors import RateLimited, ServiceError
from services.net.addresses import parse_address, parse_host_address
from services.net.errors import SourceFailed, SourceTimeout

# Flask-Limiter's Retry-After, which it also sends with a 200.
WAIT_HEADER: Final = "X-RateLimit-Wait"
LIMITER: Final = "background_remover_limiter"
log = structlog.get_logger("limits")


def client_address() -> str:
    """Return the caller's IP address, through exactly `TRUSTED_PROXIES` hops of `X-Forwarded-For`.

    Each trusted proxy appends the address that it saw, so the caller's is that many entries from the right; entries
    further left are the caller's own claim. Where that entry is missing or not an address, the peer's counts.
    """
    peer = request.remote_addr or "0.0.0.0"
    hops = service().settings.trusted_proxies
    if hops == 0:
        return peer
    chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    if len(chain) < hops:
        return peer
    address = parse_host_address(chain[-hops])
    return str(address) if address else peer


def client_key() -> str:
    """Return the key of the quota: the API key; else the IPv4 address, or the /64 that an IPv6 caller controls."""
    key = caller_key()
    if key:
        return f"key:{key.id}"
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


def by_quota(limiter: Limiter, default: str) -> RouteLimit:
    """Return a view's quota: `default` for this endpoint, or the key's own limit, which counts over all endpoints."""

    def limit() -> str:
        key = caller_key()
        return (key and key.rate_limit) or default

    def scope(endpoint: str) -> str:
        key = caller_key()
        return "key" if key and key.rate_limit else endpoint

    return limiter.shared_limit(limit, scope)


class Charge:
    """The cost of a request beyond the one that every request costs."""

    def __init__(self, limiter: Limiter, limits: list[RequestLimit]) -> None:
        self._limiter = limiter
        self._limits = limits

    def give_back(self, images: int) -> None:
        """Refund images that failed through our own fault."""
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
            raise RateLimited(f"allowed: {limit.limit}, and this batch counts as {images}")
    return Charge(limiter, limits)


@contextlib.contextmanager
def charged(images: int) -> Iterator[None]:
    """Count this request as `images` images, unless the block fails through our own fault. Raises `RateLimited`."""
    cost = charge(images)
    try:
        yield
    except ServiceError as exc:
        # The one image that every request costs is given back with the answer.
        cost.give_back(images - 1 if exc.status >= 500 else 0)
        raise


def _hit(limiter: Limiter, limit: RequestLimit, cost: int) -> bool:
    try:
        return bool(limiter.limiter.hit(limit.limit, *limit.request_args, cost=cost))
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
        """Settle the charge of 1: give it back where the service failed, or add what the request cost more."""
        theirs = isinstance(state().error, (SourceFailed, SourceTimeout))  # not ours, and it has cost us a fetch
        cost = -1 if response.status_code >= 500 and not theirs else state().cost - 1
        key = caller_key()
        if cost > 0 and key and key.rate_limit:
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
