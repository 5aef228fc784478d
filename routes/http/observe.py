"""Gives every request its id, its headers, one log line, and its metrics."""

import re
import time
import uuid
from typing import Final

import structlog
from flask import Flask, Response, g, request

from routes.http import usage
from routes.http.auth import current_caller
from routes.http.callers import client_address
from routes.http.context import RequestState, service, state
from routes.http.cross_origin import policy_headers
from services.errors import ServiceError
from services.imaging.pipeline import Result
from services.result_cache import HIT, MISS
from services.storage.local import FILES_PATH

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
# Prefixes of the endpoints whose failures are those of an image.
REMOVALS: Final = (
    "/remove",
    "/api/remove",
    "/v1.0/removebg",
    "/v1.0/alpha",
    "/v1/",
    "/matte",
    "/compose",
    "/refine",
    "/i/",
)
# Folders of signed links.
SIGNED: Final = (f"{FILES_PATH}/", "/archives/", "/i/")
METHODS: Final = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
log = structlog.get_logger("request")


def observe(app: Flask) -> None:
    """Register the hooks. Called before other extensions, so that `_finish` runs after theirs."""
    app.before_request(_begin)
    app.after_request(_finish)


def is_quiet(path: str) -> bool:
    """Return whether requests for this path are left out of log and traces: probes, scrapes and the page's files."""
    return path.startswith(("/health", "/metrics", "/static"))


def note_result(result: Result) -> None:
    """Remember a result for this request's headers, log line and metrics."""
    state().result = result


def note_error(error: ServiceError) -> None:
    """Remember the error that this request is answered with."""
    state().error = error


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.state = RequestState(given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=state().request_id)


def _finish(response: Response) -> Response:
    elapsed = time.monotonic() - state().started
    response.headers["X-Request-ID"] = state().request_id
    for name, value in policy_headers(request.path, response.mimetype).items():
        response.headers.setdefault(name, value)
    result = state().result
    if result:
        response.headers["Server-Timing"] = _server_timing(result, elapsed)
        if result.cached is not None:
            response.headers["X-Cache"] = HIT if result.cached else MISS
        if result.embedded is not None:
            response.headers["X-Embedding"] = HIT if result.embedded else MISS
    _count(response, result, elapsed)
    _log(response, result, elapsed)
    return response


def _server_timing(result: Result, elapsed: float) -> str:
    timings = {**result.timings, "total": elapsed * 1000}
    return ", ".join(f"{name};dur={ms:.1f}" for name, ms in timings.items())


def _count(response: Response, result: Result | None, elapsed: float) -> None:
    metrics = service().metrics
    endpoint = request.url_rule.rule if request.url_rule else "unmatched"
    method = request.method if request.method in METHODS else "other"
    metrics.requests.labels(method, endpoint, str(response.status_code)).inc()
    metrics.request_seconds.labels(endpoint).observe(elapsed)
    caller = current_caller()
    if caller:
        metrics.key_requests.labels(caller.label).inc()
        usage.count_request()
    error = state().error
    if error:
        metrics.refused.labels(error.code).inc()
        if error.status == 429:
            metrics.rate_limited.labels(endpoint).inc()
        if endpoint.startswith(REMOVALS) and error.status != 429:
            count_failure(error)
    if result:
        count_image(result)


def count_image(result: Result) -> None:
    """Count an image that was processed."""
    usage.count_image(result)
    metrics = service().metrics
    metrics.images.labels(result.original_format, "ok").inc()
    metrics.megapixels.observe(result.original_width * result.original_height / 1e6)
    metrics.upload_bytes.observe(result.original_bytes)
    metrics.result_bytes.observe(len(result.data))
    for stage, ms in result.timings.items():
        metrics.stage_seconds.labels(stage).observe(ms / 1000)


def count_failure(error: ServiceError) -> None:
    """Count an image that failed."""
    usage.count_failure()
    service().metrics.images.labels("unknown", error.code).inc()


def _logged_path() -> str:
    """Return the request's path; a signed link, which opens an object, must not be in the log."""
    for folder in SIGNED:
        if request.path.startswith(folder):
            return f"{folder}…"
    return request.path[:200]


def _log(response: Response, result: Result | None, elapsed: float) -> None:
    quiet = is_quiet(request.path) and response.status_code in (200, 304, 503)
    event: dict[str, object] = {
        "address": client_address(),
        "method": request.method[:16],
        "path": _logged_path(),
        "status": response.status_code,
        "duration_ms": round(elapsed * 1000, 1),
        "bytes_out": response.content_length,
    }
    caller = current_caller()
    if caller and caller.user_id:
        event["user"] = caller.user_id
    if caller and caller.key_id:
        event["key"] = caller.name
    error = state().error
    if error:
        event |= {"code": error.code, "details": error.details}
    if result:
        event |= {
            "bytes_in": result.original_bytes,
            "size_reduction": round(1 - len(result.data) / result.original_bytes, 3),
            "size": f"{result.original_width}x{result.original_height}",
            "format": f"{result.original_format}>{result.format.value}",
            "model": result.model,
            "timings_ms": {name: round(ms, 1) for name, ms in result.timings.items()},
        }
        if result.cached is not None:
            event["cached"] = result.cached
    write = log.debug if quiet else log.warning if response.status_code >= 500 else log.info
    write("request", **event)
