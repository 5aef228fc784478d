"""Fetches the bytes behind a caller's URL: public hosts only, every redirect checked, bounded in time and size."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import structlog

from services.capacity.deadline import Deadline
from services.errors import Busy, ServiceError, UploadTooLarge
from services.net.client import Answer, Outbound
from services.net.errors import BadURL, ForbiddenSource, SourceFailed
from services.net.stream import Budget
from services.net.urls import Target, join_url, parse_url

MAX_REDIRECTS: Final = 5
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
log = structlog.get_logger("fetch")


@dataclass(frozen=True)
class Fetched:
    """The source's bytes, at least one; `name` is the last part of the URL's path; `milliseconds` the time it took."""

    data: bytes
    name: str
    milliseconds: float


class Fetcher:
    """Fetches at most `places` URLs at a time in this process, each within `seconds` and `max_bytes`.

    A fetch holds no place of `Admission`: a slow source must not keep images from being worked on.
    """

    def __init__(
        self,
        outbound: Outbound,
        *,
        enabled: bool = True,
        seconds: float,
        max_bytes: int,
        places: int,
        on_outcome: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._outbound = outbound
        self._enabled = enabled
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._places = threading.BoundedSemaphore(places)
        self._on_outcome = on_outcome

    def fetch(self, url: str, deadline: Deadline, max_bytes: int | None = None) -> Fetched:
        """Return the bytes behind the URL, at most `max_bytes` (by default the fetcher's own limit).

        Raises `BadURL`, `ForbiddenSource`, `SourceFailed`, `SourceTimeout`, `UploadTooLarge`, `Busy`, and the
        deadline's `DeadlineExceeded` and `ClientGone`. No error reveals an address or repeats the URL.
        """
        start = time.perf_counter()
        outcome, host = "internal_error", ""
        try:
            if not self._enabled:
                raise ForbiddenSource("fetching is turned off")
            target = parse_url(url)
            host = target.host
            with self._place():
                most = max_bytes or self._max_bytes
                data = self._follow(target, Budget(self._seconds, most, deadline), most)
            outcome = "ok"
        except ServiceError as exc:
            outcome = exc.code
            raise
        finally:
            milliseconds = (time.perf_counter() - start) * 1000
            self._on_outcome(outcome)
            log.info("fetch", host=host, outcome=outcome, duration_ms=round(milliseconds, 1))
        return Fetched(data, unquote(target.path.partition("?")[0].rpartition("/")[2]), milliseconds)

    def refuse_closed(self, target: Target) -> None:
        """Raise `ForbiddenSource` for a target that nothing is sent to, as far as its URL alone says."""
        self._outbound.refuse_closed(target)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise Busy("the limit of simultaneous fetches is reached")
        try:
            yield
        finally:
            self._places.release()

    def _follow(self, target: Target, budget: Budget, max_bytes: int) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            with self._outbound.request("GET", target, budget, [("Accept", "image/*, */*;q=0.5")]) as answer:
                if answer.status not in REDIRECTS:
                    return _read(answer, max_bytes)
                target = _next(target, answer)
        raise SourceFailed(f"it redirects more than {MAX_REDIRECTS} times")


def _read(answer: Answer, max_bytes: int) -> bytes:
    if answer.status != 200:
        raise SourceFailed(status=answer.status)
    if any(value.strip().lower() not in ("", "identity") for value in answer.all("content-encoding")):
        raise SourceFailed("it sent a Content-Encoding that was not asked for")
    announced = next(iter(answer.all("content-length")), "0")
    if int(announced) > max_bytes:  # h11 lets only digits through
        raise UploadTooLarge(f"{announced} bytes were announced; allowed: {max_bytes}")
    data = bytearray()
    for chunk in answer.body:
        data += chunk
        if len(data) > max_bytes:
            raise UploadTooLarge(f"the source sends more than the {max_bytes} bytes allowed")
    if not data:
        raise SourceFailed("it sent no bytes")
    return bytes(data)


def _next(target: Target, answer: Answer) -> Target:
    """Return the target of a redirect. Never from https to http: an encrypted request must not be repeated in the
    clear.
    """
    location = next(iter(answer.all("location")), "")
    if not location:
        raise SourceFailed("it redirects without saying where")
    try:
        following = join_url(target, location)
    except BadURL as exc:
        raise SourceFailed("it redirects to a URL that may not be fetched") from exc
    if target.scheme == "https" and following.scheme == "http":
        raise SourceFailed("it redirects from https to http")
    return following
