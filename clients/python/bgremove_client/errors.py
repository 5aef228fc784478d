"""The errors that a service answers with."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """An error of the service: `code` is stable; `details` is what was found and allowed, `solution` what to do."""

    def __init__(self, status: int, body: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status, self.retry_after = status, retry_after
        self.code: str = str(body.get("code", "unknown"))
        self.message: str = str(body.get("error") or body.get("message") or f"HTTP {status}")
        self.details: str = str(body.get("details", ""))
        self.solution: str = str(body.get("solution", ""))
        self.request_id: str = str(body.get("request_id", ""))
        found = ": ".join(filter(None, (self.message, self.details)))
        super().__init__(". ".join(filter(None, (found, self.solution))))


class KeyRefused(ApiError):
    """The API key is missing, unknown, or not allowed to do this."""


class QuotaExceeded(ApiError):
    """The caller's quota is used up; `retry_after` says for how many seconds."""


class Unavailable(ApiError):
    """The service can't answer now; `retry_after` says when to try again."""


class JobFailed(ApiError):
    """A job ended without a result: it failed or was cancelled."""


KINDS: Mapping[int, type[ApiError]] = {
    401: KeyRefused,
    403: KeyRefused,
    429: QuotaExceeded,
    503: Unavailable,
    504: Unavailable,
}
