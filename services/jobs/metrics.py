"""Prometheus metrics of jobs, the same from every web server: gauges from the records, counters from the queue's Redis.

All workers of all machines count in one Redis hash. A count may be lost with Redis and then starts again at 0: the
records are the truth, counters are for rates.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import accumulate
from typing import Final, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from services.errors import DatabaseUnavailable
from services.jobs.pending import PendingWork
from services.jobs.tables import QUEUED, STARTED
from services.observability.background_check import BackgroundCheck
from services.persistence.database import Database
from services.persistence.redis import OptionalRedis, Redis, RedisUnavailable

HASH: Final = "bg-remover:tally"
ENDED, REQUEUED, WEBHOOKS = "job_items_ended", "job_items_requeued", "job_webhooks"
OK, WORKER_LOST, MESSAGE_LOST = "ok", "worker_lost", "message_lost"
# By name: the help text, the label, and the label's values that are shown before they occur.
COUNTERS: Final = {
    ENDED: ("Images of jobs that ended, by outcome: ok, or the error's code", "outcome", (OK, "internal_error")),
    REQUEUED: ("Images of jobs sent again, by what went wrong", "reason", (WORKER_LOST, MESSAGE_LOST)),
    WEBHOOKS: ("Webhook attempts, by outcome: ok, http_4xx, or the error's code", "outcome", (OK, "http_5xx")),
}
WAIT, WORK, MEMORY = "job_wait_seconds", "job_work_seconds", "job_memory_bytes"
BOUNDS: Final = ("0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "300", "1800", "7200", "+Inf")
MEMORY_BOUNDS: Final = (*(f"{megabytes}e6" for megabytes in (250, 500, 750, 1000, 1500, 2000, 3000, 5000)), "+Inf")
# By name: the help text, and the upper bounds of the buckets.
HISTOGRAMS: Final = {
    WAIT: ("From an image's submission to its first attempt", BOUNDS),
    WORK: ("One attempt at an image, with reading and storing", BOUNDS),
    MEMORY: ("Memory of the worker's process after an attempt at an image", MEMORY_BOUNDS),
}
# Each process that is scraped queries the records no more often than this.
KEEP_SECONDS: Final = 5.0
# How long a scrape waits for an answer. A later one is too old for the next scrape: if each answer were late, there
# would be no metrics of jobs, and no alarm.
PATIENCE_SECONDS: Final = 0.5
WAITING: Final = "waiting"
T = TypeVar("T")


class JobCounters:
    """One process's access to the shared counters. Making one opens nothing; without a URL nothing is counted."""

    def __init__(self, url: str = "") -> None:
        self._redis = OptionalRedis(url) if url else None

    def count(self, name: str, label: str, amount: int = 1) -> None:
        """Increase a counter of `COUNTERS`. Never raises."""
        self._add({f"{name} {label}": amount})

    def count_attempt(
        self, code: str, wait: float | None, work: float, *, memory: int | None = None, requeued: bool = False
    ) -> None:
        """Count an attempt at an item by its outcome, `OK` or an error's code. Never raises.

        `wait` and `work` in seconds, `memory` in bytes; `wait` is None after the first attempt.
        """
        counter = f"{REQUEUED if requeued else ENDED} {code}"
        values = {WORK: work, WAIT: wait, MEMORY: memory}
        observed = [_observation(name, value) for name, value in values.items() if value is not None]
        self._add({counter: 1.0} | {field: amount for fields in observed for field, amount in fields.items()})

    def read(self) -> list[Metric]:
        """Return all counters as metrics. Raises `RedisUnavailable`."""
        found: dict[bytes, bytes] = self._ask(lambda client: client.hgetall(HASH))  # type: ignore[arg-type,return-value] # redis-py types it for async too
        return list(_counter_families({field.decode(): float(value) for field, value in found.items()}))

    def _add(self, amounts: dict[str, float]) -> None:
        def add(client: Redis) -> None:
            pipeline = client.pipeline(transaction=False)
            for field, amount in amounts.items():
                pipeline.hincrbyfloat(HASH, field, amount)
            pipeline.execute()

        with suppress(RedisUnavailable):
            self._ask(add)

    def _ask(self, question: Callable[[Redis], T]) -> T:
        if self._redis is None:
            raise RedisUnavailable
        return self._redis.ask(question)


class JobMetricsCollector(Collector):
    """Collects gauges and counters in the background.

    A part that can't be read in time has no samples: scrapes are answered by one process or another, and an outdated
    counter would look like one that was reset.
    """

    def __init__(self, database: Database, counters: JobCounters) -> None:
        self._database, self._counters = database, counters
        self._probe: BackgroundCheck[list[Metric]] = BackgroundCheck(self._read, [], KEEP_SECONDS, PATIENCE_SECONDS)

    def collect(self) -> Iterator[Metric]:
        found, age = self._probe.latest()
        yield from found if age <= KEEP_SECONDS else ()

    def describe(self) -> Iterator[Metric]:
        yield from (*_gauge_families(), *_counter_families({}))

    def _read(self) -> list[Metric]:
        return [*self._read_gauges(), *self._read_counters()]

    def _read_counters(self) -> list[Metric]:
        try:
            return self._counters.read()
        except RedisUnavailable:
            return []

    def _read_gauges(self) -> list[Metric]:
        items, oldest, webhooks = _gauge_families()
        try:
            found = PendingWork(self._database).backlog()
        except DatabaseUnavailable:
            return []
        for state, count in ((WAITING, found.unsent), (QUEUED, found.queued), (STARTED, found.started)):
            items.add_metric([state], count)
        oldest.add_metric([], found.oldest_seconds)
        webhooks.add_metric([], found.webhooks_due)
        return [items, oldest, webhooks]


def _observation(name: str, value: float) -> dict[str, float]:
    bound = next(bound for bound in HISTOGRAMS[name][1] if value <= float(bound))
    return {f"{name} {bound}": 1, f"{name} sum": value}


def _counter_families(found: dict[str, float]) -> Iterator[Metric]:
    """Convert the fields of the Redis hash to counters and histograms."""
    for name, (text, label, always) in COUNTERS.items():
        counter = CounterMetricFamily(f"bg_remover_{name}", text, labels=[label])
        labels = {field.partition(" ")[2] for field in found if field.partition(" ")[0] == name}
        for value in sorted(labels.union(always)):
            counter.add_metric([value], found.get(f"{name} {value}", 0.0))
        yield counter
    for name, (text, bounds) in HISTOGRAMS.items():
        sums = accumulate(found.get(f"{name} {bound}", 0.0) for bound in bounds)
        histogram = HistogramMetricFamily(f"bg_remover_{name}", text)
        histogram.add_metric([], list(zip(bounds, sums, strict=True)), found.get(f"{name} sum", 0.0))
        yield histogram


def _gauge_families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily(
            "bg_remover_job_items",
            "Images of jobs that have not ended: waiting to be sent, queued for any worker, started",
            labels=["state"],
        ),
        GaugeMetricFamily("bg_remover_job_oldest_seconds", "Age of the oldest image that could be tried and is not"),
        GaugeMetricFamily("bg_remover_job_webhooks_due", "Webhooks of ended jobs that are still to be sent"),
    )
