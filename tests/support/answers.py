"""Assertions about HTTP responses."""

from typing import Final

import requests


def assert_error(response: requests.Response, status: int, code: str, *, limited: bool = False) -> dict[str, str]:
    """Check that a response follows the contract of all errors; return its body."""
    assert response.status_code == status, response.text[:300]
    assert response.headers["Content-Type"] == "application/json"
    body: dict[str, str] = response.json()
    assert set(body) == KEYS
    assert body["code"] == code
    assert body["error"]
    assert body["solution"]
    assert all(isinstance(value, str) for value in body.values())
    assert body["request_id"] == response.headers["X-Request-ID"] == REQUEST_ID
    # Operators' paths (metrics, health, /read-file, /api/admin) are closed to pages of other origins.
    if response.headers["Cross-Origin-Resource-Policy"] == "cross-origin":
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert set(response.headers["Access-Control-Expose-Headers"].split(", ")) >= EXPOSED
    else:
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]
    assert ("Retry-After" in response.headers) >= (status in (429, 503))
    if "Retry-After" in response.headers:
        assert int(response.headers["Retry-After"]) >= 1
    assert ("Allow" in response.headers) == (status == 405)
    if limited:
        assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= set(response.headers)
    return body


KEYS: Final = {"error", "code", "solution", "details", "request_id"}


EXPOSED: Final = {
    "X-Request-ID",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "Retry-After",
    "Server-Timing",
}


REQUEST_ID: Final = "test.errors-1"
