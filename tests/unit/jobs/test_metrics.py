"""Metrics of jobs without a Redis: gauges from real records, and how counts become Prometheus' families."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.core import Metric

from services.jobs.metrics import (
    BOUNDS,
    ENDED,
    MEMORY,
    MEMORY_BOUNDS,
    OK,
    REQUEUED,
    WAIT,
    JobCounters,
    JobMetricsCollector,
    _counter_families,
    _observation,
)
from services.jobs.store import JobStore
from services.jobs.tables import item_id
from services.persistence.database import Database
from services.persistence.redis import RedisUnavailable
from tests.support.jobs import claim_item, insert_job
from tests.support.waiting import free_port, poll


def samples(families: list[Metric]) -> dict[str, float]:
    """The values by name and first label, without the service's prefix."""
    return {
        " ".join([sample.name.removeprefix("bg_remover_"), *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


def collected(database: Database) -> dict[str, float]:
    collector = JobMetricsCollector(database, JobCounters())
    return samples(poll(lambda: list(collector.collect()), 10, "an answer of the database"))


def test_gauges_count_items_by_state(store: JobStore) -> None:
    job_id = insert_job(store, 4, created_at=datetime.now(UTC) - timedelta(minutes=5))
    assert store.mark_queued(item_id(job_id, 2))
    claim_item(store, job_id, 3)
    found = collected(store.database)
    assert (found["job_items waiting"], found["job_items queued"], found["job_items started"]) == (2, 1, 1)
    assert 0 <= found["job_oldest_seconds"] < 60
    assert found["job_webhooks_due"] == 0


def test_an_item_due_later_does_not_count_as_old(store: JobStore) -> None:
    job_id = insert_job(store)
    assert store.requeue(claim_item(store, job_id), "busy", "", 3600)
    found = collected(store.database)
    assert (found["job_items waiting"], found["job_oldest_seconds"]) == (1, 0)


def test_a_missing_database_has_no_jobs_and_is_not_created(tmp_path: Path) -> None:
    assert collected(Database(f"sqlite:///{tmp_path}/jobs.db"))["job_items waiting"] == 0
    assert list(tmp_path.iterdir()) == []


def test_counting_without_a_redis_is_harmless() -> None:
    for counters in (JobCounters(), JobCounters(f"redis://127.0.0.1:{free_port()}/0")):
        counters.count(REQUEUED, "message_lost")
        counters.count_attempt(OK, 1.0, 2.0)
        with pytest.raises(RedisUnavailable):
            counters.read()


@pytest.mark.parametrize(("seconds", "bound"), [(0.0, "0.1"), (0.1, "0.1"), (0.11, "0.25"), (7201, "+Inf")])
def test_an_observation_falls_into_its_bucket(seconds: float, bound: str) -> None:
    assert _observation(WAIT, seconds) == {f"{WAIT} {bound}": 1, f"{WAIT} sum": seconds}


def test_memory_has_its_own_buckets() -> None:
    assert _observation(MEMORY, 400_000_000) == {f"{MEMORY} 500e6": 1, f"{MEMORY} sum": 400_000_000}
    assert list(map(float, MEMORY_BOUNDS)) == sorted(map(float, MEMORY_BOUNDS))


def test_counts_become_counters_and_cumulative_histograms() -> None:
    found = samples(
        list(_counter_families({f"{ENDED} busy": 3, f"{WAIT} 0.5": 2, f"{WAIT} 10": 1, f"{WAIT} sum": 7.5}))
    )
    assert (found["job_items_ended_total busy"], found["job_items_ended_total ok"]) == (3, 0)
    buckets = [found[f"job_wait_seconds_bucket {bound}"] for bound in BOUNDS]
    assert buckets == [0, 0, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3]
    assert (found["job_wait_seconds_count"], found["job_wait_seconds_sum"]) == (3, 7.5)


def test_metrics_are_described_before_anything_is_counted() -> None:
    collector = JobMetricsCollector(Database("sqlite:///nowhere.db"), JobCounters())
    assert {family.name for family in collector.describe()} == {
        "bg_remover_job_items",
        "bg_remover_job_oldest_seconds",
        "bg_remover_job_webhooks_due",
        "bg_remover_job_items_ended",
        "bg_remover_job_items_requeued",
        "bg_remover_job_webhooks",
        "bg_remover_job_wait_seconds",
        "bg_remover_job_work_seconds",
        "bg_remover_job_memory_bytes",
    }
