"""Health: every part of the service, and the two probes of an orchestrator."""

import shutil
import time

from flask import Response

from bootstrap.web import WebServices
from routes.http.answers import (
    Alive,
    DependencyChecks,
    DependencyReport,
    HealthReport,
    Readiness,
    Verdict,
    json_response,
)
from routes.http.context import service
from services.capacity.resources import MIB, memory_limit_bytes
from services.errors import DatabaseUnavailable, ShuttingDown
from services.observability import health as checks
from services.observability.health import OFF, HealthCheck, is_fine, is_healthy


def health() -> Response:
    """Return the state of every part that serving needs or uses; 503 when one that it needs has failed."""
    parts = service()
    found = _checks(parts)
    healthy = is_healthy(found)
    report = HealthReport(
        status="healthy" if healthy else "unhealthy",
        checks={name: is_fine(check) for name, check in found.items()},
        parts=found,
        name=parts.settings.app_name,
        version=parts.settings.app_version,
        uptime_seconds=round(time.time() - parts.started, 1),
    )
    return _answer(report, healthy=healthy)


def health_of_dependencies() -> Response:
    """Return the state of the API, the database, Redis and the object storage; 503 as `health`."""
    found = _checks(service())
    healthy = is_healthy(found)

    def verdict(*names: str) -> Verdict:
        return "ok" if all(is_fine(found[name]) for name in names) else "error"

    verdicts = DependencyChecks(
        api="ok" if found["app"].status != "failed" and found["model"].status != "failed" else "error",
        database=verdict("database"),
        redis=verdict("redis", "queue"),
        s3=verdict("storage"),
    )
    return _answer(DependencyReport(status="healthy" if healthy else "unhealthy", checks=verdicts), healthy=healthy)


def health_live() -> Response:
    """Return 200: the process answers."""
    return _answer(Alive(), healthy=True)


def health_ready() -> Response:
    """Return 200 when the default model is warm and the server is not about to stop."""
    parts = service()
    if parts.draining.is_set():
        raise ShuttingDown("finishing what was accepted", retry_after=1)
    if not parts.models.ready():
        parts.models.retry_when_due()
        return _answer(Readiness(status="not ready", model=_model_check(parts)), healthy=False)
    return _answer(Readiness(status="ready"), healthy=True)


def _checks(parts: WebServices) -> dict[str, HealthCheck]:
    return {
        "app": checks.app_check(draining=parts.draining.is_set()),
        "model": _model_check(parts),
        "redis": _redis_check(parts),
        "storage": checks.storage_check(parts.storage_probe.problem()) if parts.storage_probe else OFF,
        "database": _database_check(parts),
        "queue": checks.queue_check(parts.jobs.queue.problem()) if parts.jobs else OFF,
        "disk_space": _disk_check(parts),
        "memory": _memory_check(parts),
    }


def _model_check(parts: WebServices) -> HealthCheck:
    return checks.model_check(parts.models.loaded().get(parts.models.default), parts.models.failure())


def _redis_check(parts: WebServices) -> HealthCheck:
    if parts.redis is None:
        return OFF
    lost = []
    if parts.settings.quotas_in_redis:
        lost.append("limits are kept in each worker")
    if parts.remover.cache:
        lost.append("no result is kept")
    return checks.redis_check(parts.redis.problem(), lost)


def _database_check(parts: WebServices) -> HealthCheck:
    required = parts.settings.auth_required
    if not (required or parts.keys.database.exists()):
        return OFF
    problem = ""
    try:
        parts.keys.database.ping()
    except DatabaseUnavailable as exc:
        problem = exc.details
    return checks.database_check(problem, required=required)


def _disk_check(parts: WebServices) -> HealthCheck:
    folder = parts.settings.upload_dir.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return checks.disk_check(shutil.disk_usage(existing).free // MIB, parts.settings.min_free_disk_mb)


def _memory_check(parts: WebServices) -> HealthCheck:
    limit = parts.settings.max_memory_mb or memory_limit_bytes() // MIB
    return checks.memory_check(parts.metrics.resident_bytes() // MIB, limit)


def _answer(body: Alive | Readiness | HealthReport | DependencyReport, *, healthy: bool) -> Response:
    response = json_response(body, 200 if healthy else 503, cacheable=False, absent_if_none=True)
    if not healthy:
        response.headers["Retry-After"] = "1"
    return response
