"""Requests that are tried again where that helps, and errors as exceptions."""

import random
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from .errors import KINDS, ApiError

# Not 504: the same image would take as long again.
AGAIN: Final = frozenset({429, 503})
# Connections that could not be made or broke before the answer. Submissions carry a key, so none is made twice.
LOST: Final = (httpx.NetworkError, httpx.RemoteProtocolError)
FIRST_SECONDS: Final = 0.5
JITTER: Final = 0.25


class Transport:
    """Sends requests; 429, 503 and lost connections are tried `retries` times more, as `Retry-After` says.

    A wait above `max_wait` seconds is not waited for: the error is raised with its `retry_after`.
    """

    def __init__(
        self, http: httpx.Client, retries: int, max_wait: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._http, self._retries, self._max_wait, self._sleep = http, retries, max_wait, sleep

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Return the answer. Raises `ApiError`, and `httpx.TransportError` for a service that can't be reached."""
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            try:
                answer = self._http.request(method, path, **more)
            except LOST:
                if last:
                    raise
                self._sleep(with_jitter(_backoff(attempt)))
                continue
            if answer.is_success:
                return answer
            error = _error(answer)
            wait = error.retry_after if error.retry_after is not None else _backoff(attempt)
            if last or error.status not in AGAIN or wait > self._max_wait:
                raise error
            self._sleep(with_jitter(wait))
        raise AssertionError


def with_jitter(seconds: float) -> float:
    """Return the seconds and up to a quarter more: callers that were refused together do not come back together."""
    # S311: nobody gains by guessing it.
    return seconds * (1 + random.uniform(0, JITTER))  # noqa: S311


def _backoff(attempt: int) -> float:
    return FIRST_SECONDS * 2.0**attempt


def _error(answer: httpx.Response) -> ApiError:
    try:
        found = answer.json()
    except ValueError:
        found = {}
    text = answer.headers.get("Retry-After", "")
    seconds = float(text) if text.isascii() and text.isdigit() else None
    return KINDS.get(answer.status_code, ApiError)(
        answer.status_code, found if isinstance(found, dict) else {}, seconds
    )
