"""For operators and monitors: health, metrics, models; and the service's own description."""

import hmac
import ipaddress
import shutil
import time
from pathlib import Path
from typing import Any

import orjson
from flask import Response, current_app, request, send_from_directory
from prometheus_client import CONTENT_TYPE_LATEST

from bootstrap import WebServices
from routes.http.context import service
from routes.http.limits import client_address
from routes.openapi.docs import described_path
from services.capacity.resources import MIB, memory_limit_bytes
from services.errors import DatabaseUnavailable, Forbidden, ShuttingDown
from services.inference.catalogue import CATALOGUE, ModelSpec

PAGE = "index.html"
METRICS_SOLUTION = "Ask the operator to add your network to METRICS_ALLOWED_NETWORKS, or send the metrics token"


def index() -> Response:
    """The web page, or with `Accept: application/json` the service's description."""
    if not index_as_json():
        return send_from_directory(current_app.static_folder or "web", PAGE, max_age=300)
    settings = service().settings
    return _json(
        {
            "name": settings.app_name,
            "version": settings.app_version,
            "model": service().models.default,
            "auth_required": settings.auth_required,
            "limits": {
                "max_content_length": settings.max_content_length,
                "max_image_pixels": settings.largest_image_pixels,
                "min_image_side": settings.min_image_side,
                "formats": list(settings.allowed_extensions),
                "request_timeout_seconds": settings.request_timeout_seconds,
                "per_hour": {
                    "/remove-background": settings.rate_limit_remove_bg_per_hour,
                    "/remove-background-preview": settings.rate_limit_preview_per_hour,
                    "/remove-background-base64": settings.rate_limit_base64_per_hour,
                    "/read-file": settings.rate_limit_read_file_per_hour,
                },
            },
            "endpoints": sorted(
                {described_path(rule.rule) for rule in current_app.url_map.iter_rules()} - {"/static/{filename}"}
            ),
            "docs": "/docs",
        }
    )


def index_as_json() -> bool:
    """Whether `/` is asked for as JSON: named in `Accept`, and liked no less than a page."""
    accept = request.accept_mimetypes
    return "application/json" in accept.values() and accept.quality("application/json") >= accept.quality("text/html")


def health() -> Response:
    """Every part that serving needs or uses; 503 when one that it needs has failed."""
    parts = service()
    checks = {
        "app": {"status": "failed", "details": "shutting down"} if parts.draining.is_set() else {"status": "ok"},
        "model": _model_check(parts),
        "redis": _redis_check(parts),
        "storage": _storage_check(parts),
        "database": _database_check(parts),
        "queue": _queue_check(parts),
        "disk_space": _disk_check(parts),
        "memory": _memory_check(parts),
    }
    healthy = all(check["status"] != "failed" for check in checks.values())
    body = {
        "status": "healthy" if healthy else "unhealthy",
        "checks": checks,
        "name": parts.settings.app_name,
        "version": parts.settings.app_version,
        "uptime_seconds": round(time.time() - parts.started, 1),
    }
    return _json(body, status=200 if healthy else 503)


def health_live() -> Response:
    """The process answers."""
    return _json({"status": "alive"})


def health_ready() -> Response:
    """The model is loaded and warmed up, and the server is not about to stop."""
    parts = service()
    if parts.draining.is_set():
        raise ShuttingDown("finishing what was accepted", retry_after=1)
    if not parts.models.ready():
        parts.models.retry_when_due()
        return _json({"status": "not ready", "model": _model_check(parts)}, status=503)
    return _json({"status": "ready"})


def metrics() -> Response:
    """Prometheus text for all workers together."""
    _allow_metrics()
    return Response(service().metrics.text(), content_type=CONTENT_TYPE_LATEST)


def metrics_json() -> Response:
    """The same figures as JSON."""
    _allow_metrics()
    return _json(service().metrics.as_json())


def models() -> Response:
    """The models that can be used, and those that are known but not enabled or not on this machine."""
    source = service().models
    loaded, usable = source.loaded(), source.usable()
    listed = []
    for name, spec in usable.items():
        segmenter = loaded.get(name)
        listed.append(
            {
                **_facts(spec),
                "size_bytes": source.size_bytes(name),
                "default": name == source.default,
                "loaded": segmenter is not None,
                "engine": segmenter.engine if segmenter else None,
                "precision": segmenter.precision if segmenter else None,
            }
        )
    others = [_facts(spec) for spec in CATALOGUE.values() if spec.name not in usable]
    return _json({"models": listed, "not_here": others})


def _facts(spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "purpose": spec.purpose,
        "licence": spec.licence,
        "commercial_use": spec.commercial,
        "input_size": spec.input_size,
        "about_mb": spec.about_mb,
        "checksums": {file.name: file.checksum or None for file in spec.files},
        "takes_prompt": spec.takes_prompt,
    }


def _model_check(parts: WebServices) -> dict[str, Any]:
    segmenter = parts.models.loaded().get(parts.models.default)
    if segmenter is None:
        failure = parts.models.failure()
        return {"status": "failed", "details": failure or "loading"}
    found = {"model": segmenter.name, "engine": segmenter.engine, "precision": segmenter.precision}
    if segmenter.warning:
        return {"status": "warning", "details": segmenter.warning, **found}
    return {"status": "ok", **found}


def _redis_check(parts: WebServices) -> dict[str, Any]:
    """Redis holds quotas and kept results; without it each worker counts for itself and keeps none: a warning."""
    if parts.redis is None:
        return {"status": "off"}
    if problem := parts.redis.problem():
        lost = ["limits are kept in each worker"] * parts.settings.quotas_in_redis
        lost += ["no result is kept"] * bool(parts.remover.cache)
        return {"status": "warning", "details": f"not reached ({problem}): {', '.join(lost)}"}
    return {"status": "ok"}


def _queue_check(parts: WebServices) -> dict[str, Any]:
    """The queue carries jobs; images are worked on at once without it."""
    if parts.jobs is None:
        return {"status": "off"}
    if problem := parts.jobs.queue.problem():
        return {"status": "warning", "details": f"not reached ({problem}): no jobs are taken"}
    return {"status": "ok"}


def _storage_check(parts: WebServices) -> dict[str, Any]:
    """Storage takes results on request; without it images are worked on all the same, so its loss is a warning."""
    if parts.storage_probe is None:
        return {"status": "off"}
    if problem := parts.storage_probe.problem():
        return {"status": "warning", "details": f"can't be used ({problem}): nothing is stored"}
    return {"status": "ok"}


def _database_check(parts: WebServices) -> dict[str, Any]:
    """The database holds the keys: without it only those used lately are known, so serving needs it where a key is."""
    required = parts.settings.auth_required
    if not (required or parts.keys.database.exists()):
        return {"status": "off"}
    try:
        parts.keys.database.ping()
    except DatabaseUnavailable as exc:
        return {"status": "failed" if required else "warning", "details": f"not reached ({exc.details})"}
    return {"status": "ok"}


def _disk_check(parts: WebServices) -> dict[str, Any]:
    folder = parts.settings.upload_dir.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free // MIB
    status = "ok" if free >= parts.settings.min_free_disk_mb else "warning"
    return {"status": status, "free_mb": free, "needed_mb": parts.settings.min_free_disk_mb}


def _memory_check(parts: WebServices) -> dict[str, Any]:
    resident = parts.metrics.resident_bytes() // MIB
    limit = parts.settings.max_memory_mb or memory_limit_bytes() // MIB
    return {"status": "warning" if resident > limit else "ok", "resident_mb": resident, "limit_mb": limit}


def _allow_metrics() -> None:
    settings = service().settings
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.metrics_token and scheme.lower() == "bearer":
        if hmac.compare_digest(token.strip().encode(), settings.metrics_token.encode()):
            return
        raise Forbidden("the token is not the right one", METRICS_SOLUTION)
    address = _address(client_address())
    if address is not None and any(address in network for network in settings.metrics_allowed_networks):
        return
    raise Forbidden(f"metrics are not open to {client_address()}", METRICS_SOLUTION)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address as a value, an IPv4 one that came over IPv6 as IPv4; None for anything else."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _json(body: dict[str, Any], status: int = 200) -> Response:
    response = Response(orjson.dumps(body, default=_plain), status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    if status == 503:
        response.headers["Retry-After"] = "1"
    return response


def _plain(value: object) -> str:
    return str(value) if isinstance(value, Path) else repr(value)
