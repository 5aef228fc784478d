"""Builds the OpenAPI 3.1 document from the routes, the options and the errors; Swagger UI shows it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from flask import Response

from config import Settings
from routes.http.answers import ErrorBody
from routes.http.auth import ANY, USER
from routes.http.usage import CHARGED, CHARGED_JOBS
from routes.http.visitors import SAFE_METHODS
from routes.openapi.headers import (
    HEADERS,
    IMAGE_HEADERS,
    PARAMETERS,
    QUOTA_HEADERS,
    SECURITY_SCHEMES,
    USER_SCHEMES,
    header_refs,
)
from routes.openapi.samples import sample_body
from routes.openapi.schemas import Schema, schema_of
from services import errors as e
from services.accounts.errors import NotSignedIn
from services.api_keys.errors import MonthlyQuotaUsedUp
from services.api_keys.keys import ADMIN, REMOVE
from services.errors import ServiceError, all_errors
from services.imaging.formats import Format, usable_formats
from services.imaging.options import options_schema
from services.net.urls import MAX_URL_CHARS

OPEN: Final = ""
IMAGE_URL: Final[Schema] = {
    "type": "string",
    "format": "uri",
    "description": "Where to fetch the image from, instead of sending it: http or https, on the public internet, at "
    f"most {MAX_URL_CHARS} characters.",
}
BACKGROUND_URL: Final[Schema] = {
    "type": "string",
    "format": "uri",
    "description": "Where to fetch an image to go behind the subject from; as `image_url`.",
}
URLS: Final = {"image_url": IMAGE_URL, "background_image_url": BACKGROUND_URL}


@dataclass(frozen=True)
class Operation:
    """The description of an endpoint. `bodies` and `answers` map media types to schemas."""

    tag: str
    summary: str
    description: str = ""
    bodies: dict[str, Schema] = field(default_factory=dict)
    answers: dict[str, Schema] = field(default_factory=dict)
    failures: tuple[type[ServiceError], ...] = ()
    options: bool = False
    body_required: bool = True
    # For another API's endpoint: all responses except those of 414 and 431.
    responses: Schema | None = None
    parameters: dict[str, Schema] = field(default_factory=dict)
    """Query parameters that are not options; `needed` are the required ones."""
    needed: tuple[str, ...] = ()
    query: dict[str, Schema] = field(default_factory=dict)
    """Query parameters in addition to the options."""
    status: int = 200


@dataclass(frozen=True)
class Route:
    """One endpoint: its view and description, the setting with its quota, the scope that a key needs (`OPEN`: none),
    other paths.
    """

    method: str
    path: str
    view: Callable[..., Response]
    operation: Operation
    quota: str = ""
    scope: str = REMOVE
    also: tuple[str, ...] = ()
    uncounted: Callable[[], bool] | None = None
    """Whether the quota does not count this request."""


def build(routes: Iterable[Route], settings: Settings) -> Schema:
    """Return the OpenAPI 3.1 document of these routes."""
    routes = tuple(routes)
    paths: dict[str, Schema] = {}
    for route in routes:
        for path in (route.path, *route.also):
            path = described_path(path)
            operation = paths.setdefault(path, {})[route.method.lower()] = _operation(route, path)
            if route.scope:
                operation["security"] = _security(route.scope, required=settings.auth_required)
    has_users = any(route.scope == USER for route in routes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": settings.app_name,
            "version": settings.app_version,
            "description": "Removes the background of images. Every error has the body `Error`; its `code` is stable.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(route.operation.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": {"Error": _error_schema()},
            "headers": HEADERS,
            "parameters": PARAMETERS,
            "securitySchemes": SECURITY_SCHEMES | (USER_SCHEMES if has_users else {}),
        },
    }


def described_path(rule: str) -> str:
    """Convert Flask's `<name>` to OpenAPI's `{name}`."""
    return re.sub(r"<(?:[^<>:]+:)?(\w+)>", r"{\1}", rule)


def _operation(route: Route, path: str) -> Schema:
    operation = route.operation
    name = re.sub(r"\W+", "_", f"{route.method.lower()}{path}").rstrip("_")
    parameters: list[Schema] = [{"$ref": "#/components/parameters/X-Request-ID"}]
    parameters += [
        {"name": key, "in": "path", "required": True, "schema": {"type": "string"}}
        for key in re.findall(r"{(\w+)}", path)
    ]
    in_query = {**operation.query, **({**URLS, **option_schemas()} if operation.options else operation.parameters)}
    parameters += [
        {
            "name": key,
            "in": "query",
            "required": key in operation.needed,
            "description": schema.get("description", ""),
            "schema": schema,
        }
        for key, schema in in_query.items()
    ]
    found: Schema = {
        "operationId": name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": parameters,
        "responses": _responses(route),
    }
    if operation.bodies:
        found["requestBody"] = {
            "required": operation.body_required,
            "content": {kind: _body(kind, schema) for kind, schema in operation.bodies.items()},
        }
    return found


def _body(kind: str, schema: Schema) -> Schema:
    sample = sample_body(schema) if kind == "application/json" else {}
    return {"schema": schema, **({"example": sample} if sample else {})}


def _security(scope: str, *, required: bool) -> list[Schema]:
    """Return the ways to send a key; also none, where a key only changes the quota."""
    if scope == USER:
        return [{name: []} for name in USER_SCHEMES]
    by_key: list[Schema] = [{name: [] if scope == ANY else [scope]} for name in SECURITY_SCHEMES]
    return by_key if required or scope in (ADMIN, ANY) else [{}, *by_key]


def _responses(route: Route) -> Schema:
    headers = header_refs("X-Request-ID", *(QUOTA_HEADERS if route.quota or route.path == "/" else ()))
    done = dict(headers)
    if (route.operation.options or "image/png" in route.operation.answers) and route.operation.status == 200:
        done |= header_refs("Server-Timing", "X-Confidence", "X-Cache", "X-Embedding", *IMAGE_HEADERS)
    if route.operation.responses is not None:
        return {**route.operation.responses, **_too_long()}
    if route.operation.tag == "rembg":
        done |= header_refs("X-Model-Fallback")
    if "output_key" in route.operation.query:
        done |= header_refs("X-Output-Key")
    content = {kind: {"schema": schema} for kind, schema in route.operation.answers.items()}
    responses: Schema = {str(route.operation.status): {"description": "Done", "headers": done, "content": content}}
    failures: list[type[ServiceError]] = [*route.operation.failures, e.BadRequest, e.HostNotAllowed, ServiceError]
    if route.quota or route.path == "/":
        failures.append(e.RateLimited)
    if route.scope == USER:
        failures += [NotSignedIn, e.DatabaseUnavailable]
    elif route.scope:
        failures += [e.MissingKey, e.BadKey, e.Forbidden, e.DatabaseUnavailable]
    if route.path in (*CHARGED, *CHARGED_JOBS):
        failures.append(MonthlyQuotaUsedUp)
    if route.method not in SAFE_METHODS:
        failures.append(e.CrossSiteRequest)
    by_status: dict[int, list[type[ServiceError]]] = {}
    for error in failures:
        by_status.setdefault(error.status, []).append(error)
    for status, same in sorted(by_status.items()):
        lines = [f"- `{error.code}`: {error.message}. {error.solution}." for error in same]
        error_headers = dict(headers)
        if status in (429, 503):
            error_headers |= header_refs("Retry-After")
        if status == 401:
            error_headers |= header_refs("WWW-Authenticate")
        body: Schema = {"$ref": "#/components/schemas/Error"}
        if status == 503 and "/health" in route.path:
            body = {"type": "object"}
        responses[str(status)] = {
            "description": "\n".join(lines),
            "headers": error_headers,
            "content": {"application/json": {"schema": body}},
        }
    return {**responses, **_too_long()}


def _too_long() -> Schema:
    return {
        str(status): {
            "description": f"- `bad_request`: {found} is too long.",
            "headers": header_refs("X-Request-ID"),
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status, found in ((414, "The request line"), (431, "A header"))
    }


def option_schemas() -> dict[str, Schema]:
    """Return each option's public schema: enumerations inlined, no null (an absent option is simply absent)."""
    whole = options_schema()
    return {name: _flat(schema, whole["$defs"]) for name, schema in whole["properties"].items()}


def _flat(schema: Schema, defs: dict[str, Schema]) -> Schema:
    variant = next((v for v in schema.get("anyOf", ()) if v.get("type") != "null"), schema)
    merged = {**schema, **variant}
    if "$ref" in variant:
        merged |= defs[variant["$ref"].rsplit("/", 1)[-1]] | {"description": schema["description"]}
    flat = {k: v for k, v in merged.items() if k not in ("anyOf", "$ref", "title") and v is not None}
    if flat.get("enum") == [f.value for f in Format]:
        flat["enum"] = [*(f.value for f in usable_formats()), "jpg", Format.GIF.value, Format.AUTO.value]
    return flat


def _error_schema() -> Schema:
    schema = schema_of(ErrorBody)
    schema["properties"]["code"]["enum"] = sorted({error.code for error in all_errors()})
    return schema
