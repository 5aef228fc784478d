"""Checks of the parts that serving needs or uses. Each takes facts and returns a `HealthCheck`; none opens anything."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

Status = Literal["ok", "warning", "failed", "off"]


class LoadedModel(Protocol):
    """A loaded model, as the check shows it."""

    name: str
    engine: str
    precision: str
    warning: str


class HealthCheck(BaseModel):
    """The state of one part. Fields that do not apply are absent from the JSON body."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status
    details: str | None = None
    model: str | None = None
    engine: str | None = None
    precision: str | None = None
    free_mb: int | None = None
    needed_mb: int | None = None
    resident_mb: int | None = None
    limit_mb: int | None = None


OFF = HealthCheck(status="off")
OK = HealthCheck(status="ok")


def is_healthy(checks: Mapping[str, HealthCheck]) -> bool:
    """Return whether no part that serving needs has failed."""
    return all(check.status != "failed" for check in checks.values())


def is_fine(check: HealthCheck) -> bool:
    """Return whether a part works as it should, or is not used."""
    return check.status in ("ok", "off")


def app_check(*, draining: bool) -> HealthCheck:
    """Check whether the process is about to stop."""
    return HealthCheck(status="failed", details="shutting down") if draining else OK


def model_check(model: LoadedModel | None, failure: str) -> HealthCheck:
    """Check the default model. Without it nothing can be served."""
    if model is None:
        return HealthCheck(status="failed", details=failure or "loading")
    return HealthCheck(
        status="warning" if model.warning else "ok",
        details=model.warning or None,
        model=model.name,
        engine=model.engine,
        precision=model.precision,
    )


def redis_check(problem: str, lost: Sequence[str]) -> HealthCheck:
    """Check the Redis of quotas and cached results. Serving goes on without it, so its loss is a warning."""
    if problem:
        return HealthCheck(status="warning", details=f"not reached ({problem}): {', '.join(lost)}")
    return OK


def storage_check(problem: str) -> HealthCheck:
    """Check the object storage. Images are served without it, so its loss is a warning."""
    return HealthCheck(status="warning", details=f"can't be used ({problem}): nothing is stored") if problem else OK


def queue_check(problem: str) -> HealthCheck:
    """Check the queue of jobs. Images are served without it, so its loss is a warning."""
    return HealthCheck(status="warning", details=f"not reached ({problem}): no jobs are accepted") if problem else OK


def database_check(problem: str, *, required: bool) -> HealthCheck:
    """Check the database. It holds the API keys, so its loss is a failure where a key is required."""
    if problem:
        return HealthCheck(status="failed" if required else "warning", details=f"not reached ({problem})")
    return OK


def disk_check(free_mb: int, needed_mb: int) -> HealthCheck:
    """Check the free space of the upload folder's disk."""
    return HealthCheck(status="ok" if free_mb >= needed_mb else "warning", free_mb=free_mb, needed_mb=needed_mb)


def memory_check(resident_mb: int, limit_mb: int) -> HealthCheck:
    """Check the memory that the service holds."""
    status: Status = "warning" if resident_mb > limit_mb else "ok"
    return HealthCheck(status=status, resident_mb=resident_mb, limit_mb=limit_mb)
