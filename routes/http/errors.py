"""Turns every error into a response; nothing else does."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from flask import Flask, Response, request
from flask_limiter import RateLimitExceeded
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from config import Settings
from routes.http.answers import ErrorBody, json_response
from routes.http.context import service, state
from routes.http.limits import limit_exceeded
from routes.http.lost_page import is_for_a_person, lost_page
from routes.http.observe import note_error
from services import errors
from services.dialects import carvekit, clipdrop, photoroom, removebg_errors, withoutbg
from services.errors import ServiceError
from services.imaging.errors import UnsupportedFormat

log = structlog.get_logger("error")
RETRY_AFTER = 5
CHALLENGE = 'Bearer realm="background-remover"'  # RFC 6750, section 3
EXHAUSTED = {errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN}


@dataclass(frozen=True)
class Dialect:
    """Another service's API: the paths under `prefix` answer errors with its body."""

    prefix: str
    error_body: Callable[[ServiceError, int], tuple[int, BaseModel]]
    max_bytes: Callable[[Settings], int]
    content_type: str


UTF8: Final = "application/json; charset=utf-8"
JSON: Final = "application/json"


def _removebg_bytes(settings: Settings) -> int:
    return settings.removebg_max_content_length


def _our_bytes(settings: Settings) -> int:
    return settings.max_content_length


DIALECTS: Final = (  # the first prefix that fits counts
    Dialect("/v1.0/alpha-channel-base64/", withoutbg.cloud_error_body, _our_bytes, JSON),
    Dialect("/v1.0/", removebg_errors.error_body, _removebg_bytes, UTF8),
    Dialect("/api/removebg/", carvekit.error_body, _removebg_bytes, JSON),
    Dialect("/api/account/", carvekit.error_body, _removebg_bytes, JSON),
    Dialect("/v1/remove-background/", withoutbg.error_body, _our_bytes, JSON),
    Dialect("/available-credit/", withoutbg.cloud_error_body, _our_bytes, JSON),
    Dialect("/v1/segment/", photoroom.error_body, _our_bytes, JSON),
    Dialect("/remove-background/v1/", clipdrop.error_body, _our_bytes, JSON),
)
_BY_STATUS: dict[int, type[ServiceError]] = {
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.UploadTooLarge,
    415: UnsupportedFormat,
    429: errors.RateLimited,
}


def handle_errors(app: Flask) -> None:
    """Register the handlers for everything that a view can raise."""
    app.register_error_handler(ServiceError, _service_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def dialect_of(path: str) -> Dialect | None:
    """Return the dialect in which a path answers errors; None for ours."""
    return next((dialect for dialect in DIALECTS if f"{path}/".startswith(dialect.prefix)), None)


def unparsed_body(error: ServiceError, path: str, request_id: str, settings: Settings) -> tuple[str, bytes]:
    """Return the content type and the body of the error for a request that Gunicorn could not parse."""
    dialect = dialect_of(path)
    if dialect:
        _, answer = dialect.error_body(error, dialect.max_bytes(settings))
        return dialect.content_type, answer.model_dump_json(by_alias=True).encode()
    ours = ErrorBody(
        error=error.message, code=error.code, solution=error.solution, details=error.details, request_id=request_id
    )
    return JSON, ours.model_dump_json().encode()


def _service_error(error: ServiceError) -> Response:
    note_error(error)
    dialect = dialect_of(request.path)
    if dialect:
        response = _in_dialect(error, dialect)
    else:
        response = lost_page(error) if is_for_a_person(error) else _as_ours(error)
    if error.status == 503:
        response.headers["Retry-After"] = str(error.retry_after or RETRY_AFTER)
    if response.status_code == 401:
        given = ', error="invalid_token"' if error.code == "bad_key" else ""
        response.headers["WWW-Authenticate"] = CHALLENGE + given
    return response


def _as_ours(error: ServiceError) -> Response:
    body = ErrorBody(
        error=error.message,
        code=error.code,
        solution=error.solution,
        details=error.details,
        request_id=state().request_id,
    )
    return json_response(body, error.status)


def _in_dialect(error: ServiceError, dialect: Dialect) -> Response:
    status, body = dialect.error_body(error, dialect.max_bytes(service().settings))
    response = json_response(body, status)
    response.content_type = dialect.content_type
    return response


def _http_error(error: HTTPException) -> Response:
    """Answer an error of Werkzeug or Flask-Limiter with one of ours."""
    status = error.code or 500
    if status < 400:
        return Response(error.get_body(), status=status, headers=error.get_headers())  # a redirect
    if status == 500:
        return _unexpected(error)
    known = _BY_STATUS.get(status, errors.BadRequest)
    ours = limit_exceeded(error) if isinstance(error, RateLimitExceeded) else known(_details(error, status))
    # A base URL that ends in a slash. A redirect would make clients send photo and key twice.
    if status == 404 and "//" in request.path:
        ours.solution = "Write single slashes between the parts of the path: a base URL must not end in one"
    response = _service_error(ours)
    if known is errors.BadRequest:
        response.status_code = status
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After", "WWW-Authenticate"):
            response.headers[name] = value
    return response


def _details(error: HTTPException, status: int) -> str:
    if status == 404:
        return f"no endpoint {request.path[:200]!r}"
    if status == 405:
        return f"{request.method[:16]} is not one of {', '.join(sorted(getattr(error, 'valid_methods', None) or []))}"
    if isinstance(error, RequestEntityTooLarge):
        if request.max_content_length != service().settings.max_encoded_bytes:
            return f"the body is larger than {request.max_content_length} bytes, or has too many parts"
        limit = service().settings.max_content_length
        return f"the body is larger than an image of {limit} bytes needs, or has too many parts"
    return str(error.description or "")[:300]


def _unexpected(error: Exception) -> Response:
    """Answer a bug or a fault of the machine. The log has the traceback; the response carries no detail."""
    original = getattr(error, "original_exception", None) or error
    # Gunicorn's parser raises while the body is read, for instance for a bad chunk size.
    if type(original).__module__ == "gunicorn.http.errors":
        return _service_error(errors.BadRequest(f"the body can't be read ({type(original).__name__})"))
    log.error("unexpected error", exc_info=error)
    if isinstance(original, MemoryError) or getattr(original, "errno", None) in EXHAUSTED:
        return _service_error(errors.Busy("the server is out of memory or open files for now"))
    return _service_error(ServiceError())
