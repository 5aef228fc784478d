"""Headers that clients of other services expect on every response under that service's paths."""

import time
from typing import Final

from flask import Flask, Response, request

from routes.http.context import service, state

REMOVEBG: Final = ("/v1.0", "/api/removebg")
REMBG: Final = "/api/remove"


def attach_dialect_headers(app: Flask) -> None:
    """Register the hooks. Called before the limiter and CORS, whose headers these complete: hooks run in reverse."""
    app.after_request(_complete_quota)
    app.after_request(_allow_any_header)
    app.after_request(_name_fallback)


def _complete_quota(response: Response) -> Response:
    """Add a full quota where none was counted: both services always send one, and remove.bg's Ruby client needs it."""
    if any(map(_under, REMOVEBG)):
        limit = service().settings.rate_limit_removebg_per_minute
        full = {"Limit": limit, "Remaining": limit, "Reset": int(time.time()) + 60}
        for name, value in full.items():
            response.headers.setdefault(f"X-RateLimit-{name}", str(value))
    return response


def _allow_any_header(response: Response) -> Response:
    """Let web pages send any header to rembg's API, as its server does."""
    asked = request.headers.get("Access-Control-Request-Headers")
    if request.method == "OPTIONS" and asked and _under(REMBG) and "Access-Control-Allow-Origin" in response.headers:
        response.headers["Access-Control-Allow-Headers"] = asked
    return response


def _name_fallback(response: Response) -> Response:
    if state().model_fallback:
        response.headers["X-Model-Fallback"] = state().model_fallback
    return response


def _under(prefix: str) -> bool:
    return f"{request.path}/".startswith(f"{prefix}/")
