"""Which findings are failures, and which are only warnings."""

from types import SimpleNamespace

import pytest

from services.observability.health import (
    OFF,
    OK,
    HealthCheck,
    app_check,
    database_check,
    disk_check,
    is_fine,
    is_healthy,
    memory_check,
    model_check,
    queue_check,
    redis_check,
    storage_check,
)


def test_only_a_failed_check_makes_the_service_unhealthy() -> None:
    checks = {"app": OK, "storage": OFF, "redis": HealthCheck(status="warning")}
    assert is_healthy(checks)
    assert is_healthy({**checks, "app": app_check(draining=False)})
    assert not is_healthy({**checks, "app": app_check(draining=True)})


def test_missing_model_fails_with_its_reason() -> None:
    assert model_check(None, "") == HealthCheck(status="failed", details="loading")
    assert model_check(None, "no such file").details == "no such file"


def test_model_on_a_fallback_engine_is_a_warning() -> None:
    model = SimpleNamespace(name="u2net", engine="cpu", precision="f32", warning="")
    assert model_check(model, "").model_dump(exclude_none=True) == {
        "status": "ok", "model": "u2net", "engine": "cpu", "precision": "f32",
    }  # fmt: skip
    model.warning = "no GPU"
    check = model_check(model, "")
    assert (check.status, check.details) == ("warning", "no GPU")


def test_lost_database_fails_only_where_keys_are_required() -> None:
    assert database_check("", required=True) == OK
    assert database_check("timeout", required=True).status == "failed"
    assert database_check("timeout", required=False).status == "warning"


@pytest.mark.parametrize("check", [lambda text: redis_check(text, ["quotas", "cache"]), storage_check, queue_check])
def test_lost_optional_part_is_a_warning_naming_the_problem(check) -> None:  # type: ignore[no-untyped-def] # lambdas
    assert check("") == OK
    assert check("timeout").status == "warning"
    assert "(timeout)" in check("timeout").details


def test_bounds_of_disk_and_memory_are_inclusive() -> None:
    assert [disk_check(free, 100).status for free in (100, 99)] == ["ok", "warning"]
    assert [memory_check(held, 100).status for held in (100, 101)] == ["ok", "warning"]


def test_part_is_fine_where_it_works_or_is_not_in_use() -> None:
    assert [is_fine(HealthCheck(status=status)) for status in ("ok", "off", "warning", "failed")] == [
        True, True, False, False,
    ]  # fmt: skip
