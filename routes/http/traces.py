"""Gives every request a span, below the caller's where it sends a `traceparent`."""

from contextlib import ExitStack

import structlog
from flask import Flask, Response, request

from routes.http.context import state
from routes.http.observe import METHODS, is_quiet
from services.observability.tracing import TRACEPARENT, TRACESTATE, Fact, Kind, current, span


def trace_requests(app: Flask) -> None:
    """Register the hooks. Called after `observe`, which begins the request's log fields."""
    app.before_request(_begin)
    app.after_request(_note)
    app.teardown_request(_end)


def _begin() -> None:
    # Probes and scrapes would be most of the traces.
    if is_quiet(request.path):
        return
    route = request.url_rule.rule if request.url_rule else ""
    method = request.method if request.method in METHODS else "other"
    headers = request.headers
    given = {name: headers[name] for name in (TRACEPARENT, TRACESTATE) if name in headers}
    ends = state().ends = ExitStack()
    started = ends.enter_context(span(f"{method} {route}".strip(), Kind.SERVER, given))
    started.note({"http.request.method": method, "http.route": route, "request.id": state().request_id})
    structlog.contextvars.bind_contextvars(**started.log_fields())


def _note(response: Response) -> Response:
    if state().ends is None:
        return response
    facts: dict[str, Fact] = {"http.response.status_code": response.status_code}
    result, error = state().result, state().error
    if result:
        facts |= {"image.format": result.original_format, "image.width": result.original_width}
        facts |= {"image.height": result.original_height, "image.bytes": result.original_bytes}
        facts |= {"result.format": result.format.value, "result.bytes": len(result.data), "model": result.model}
        facts |= {"cached": bool(result.cached)}
    if error:
        facts["error.type"] = error.code
    current().note(facts)
    if response.status_code >= 500:
        current().fail(error.code if error else str(response.status_code))
    return response


def _end(_error: BaseException | None) -> None:
    ends = state().ends
    if ends is not None:
        ends.close()
