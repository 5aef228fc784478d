"""The web page, the service's description, its models and its metrics."""

import hmac

import orjson
from flask import Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST

from routes.http.answers import (
    ModelFacts,
    ModelList,
    QuotaLimits,
    ServiceDescription,
    ServiceLimits,
    UsableModel,
    json_response,
)
from routes.http.callers import is_cross_site, proven_address
from routes.http.context import service
from routes.http.visitors import with_visitor
from routes.openapi.docs import described_path
from routes.page import page
from services.errors import Forbidden
from services.net.addresses import parse_address

# Files of the page, which are not endpoints.
OF_THE_PAGE = {"/static/{filename}", "/static/{build}/{filename}"}
METRICS_SOLUTION = "Ask the operator to add your network to METRICS_ALLOWED_NETWORKS, or send the metrics token"


def index() -> Response:
    """Return the web page, or with `Accept: application/json` the service's description."""
    if not index_as_json():
        return with_visitor(page())
    settings = service().settings
    rules = {described_path(rule.rule) for rule in current_app.url_map.iter_rules()}
    limits = ServiceLimits(
        max_content_length=settings.max_content_length,
        max_image_pixels=settings.largest_image_pixels,
        min_image_side=settings.min_image_side,
        formats=list(settings.allowed_extensions),
        request_timeout_seconds=settings.request_timeout_seconds,
        per_hour=QuotaLimits(
            remove_background=settings.rate_limit_remove_bg_per_hour,
            preview=settings.rate_limit_preview_per_hour,
            base64=settings.rate_limit_base64_per_hour,
            read_file=settings.rate_limit_read_file_per_hour,
        ),
    )
    description = ServiceDescription(
        name=settings.app_name,
        version=settings.app_version,
        model=service().models.default,
        auth_required=settings.auth_required,
        limits=limits,
        endpoints=sorted(rules - OF_THE_PAGE),
    )
    return json_response(description, cacheable=False)


def index_as_json() -> bool:
    """Return whether `Accept` names JSON and prefers it to a page."""
    accept = request.accept_mimetypes
    return "application/json" in accept.values() and accept.quality("application/json") >= accept.quality("text/html")


def metrics() -> Response:
    """Return the Prometheus text for all workers together."""
    _allow_metrics()
    return Response(service().metrics.text(), content_type=CONTENT_TYPE_LATEST)


def metrics_json() -> Response:
    """Return the same figures as JSON."""
    _allow_metrics()
    response = Response(orjson.dumps(service().metrics.as_json()), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def models() -> Response:
    """Return the models that can be used, and those that are known but not enabled or not on this machine."""
    source = service().models
    loaded, usable = source.loaded(), source.usable()
    listed = []
    for name, spec in usable.items():
        segmenter = loaded.get(name)
        listed.append(
            UsableModel(
                **ModelFacts.model_validate(spec).model_dump(),
                size_bytes=source.size_bytes(name),
                default=name == source.default,
                loaded=segmenter is not None,
                engine=segmenter.engine if segmenter else None,
                precision=segmenter.precision if segmenter else None,
                seconds=_rounded(segmenter.seconds) if segmenter else None,
            )
        )
    others = [ModelFacts.model_validate(spec) for spec in source.unusable()]
    return json_response(ModelList(models=listed, tiers=source.tiers, not_here=others), cacheable=False)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def _allow_metrics() -> None:
    settings = service().settings
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.metrics_token and scheme.lower() == "bearer":
        if hmac.compare_digest(token.strip().encode(), settings.metrics_token.encode()):
            return
        raise Forbidden("the token is wrong", METRICS_SOLUTION)
    if "Origin" in request.headers or is_cross_site():
        raise Forbidden("metrics are not open to pages of other sites", METRICS_SOLUTION)
    address = parse_address(proven_address() or "")
    if address is None:
        raise Forbidden("the forwarding headers do not say whose the request is", METRICS_SOLUTION)
    if not any(address in network for network in settings.metrics_allowed_networks):
        raise Forbidden(f"metrics are not open to {address}", METRICS_SOLUTION)
