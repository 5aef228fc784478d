"""What happens to jobs, counted in the queue's Redis by all workers of all machines together.

Any web server's metrics tell the whole. A count may be lost with Redis, and then begins anew at 0: the records are the
truth, this is for rates.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from services.persistence.redis import RedisLost, SpareRedis

HASH: Final = "bg-remover:tally"
ENDED, REQUEUED, WEBHOOKS = "job_items_ended", "job_items_requeued", "job_webhooks"
OK, WORKER_LOST, MESSAGE_LOST = "ok", "worker_lost", "message_lost"
COUNTERS: Final = {  # name: what it counts, by which label, and values that are there before they happen
    ENDED: ("Images of jobs that ended, by outcome: ok, or the error's code", "outcome", (OK,)),
    REQUEUED: ("Images of jobs sent again, by what went wrong", "reason", (WORKER_LOST, MESSAGE_LOST)),
    WEBHOOKS: ("Tries to tell of a job's end, by outcome: ok, http_4xx, or the error's code", "outcome", (OK,)),
}
WAIT, WORK = "job_wait_seconds", "job_work_seconds"
HISTOGRAMS: Final = {
    WAIT: "From an image's submission to its first try",
    WORK: "One try at an image, with reading and storing",
}
BOUNDS: Final = ("0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "300", "1800", "7200", "+Inf")


class Tally:
    """One process's way to the counts. Making one opens nothing; without a URL nothing is counted."""

    def __init__(self, url: str = "") -> None:
        self._redis = SpareRedis(url) if url else None

    def count(self, name: str, label: str, amount: int = 1) -> None:
        """Count something of `COUNTERS`. Never raises."""
        self._add({f"{name} {label}": amount})

    def item(self, outcome: str, wait: float | None, work: float) -> None:
        """Count a try at an item, by its outcome in `services.jobs.process`; seconds, `wait` None on a
        second try. Never raises."""
        again = outcome.startswith("again: ")
        counter = f"{REQUEUED} {outcome.removeprefix('again: ')}" if again else f"{ENDED} {outcome}"
        found = {counter: 1.0, **_observed(WORK, work)}
        self._add(found | (_observed(WAIT, wait) if wait is not None else {}))

    def read(self) -> list[Metric]:
        """All counts. Raises `RedisLost`."""
        found: dict[bytes, bytes] = self._ask(lambda redis: redis.hgetall(HASH))
        return list(families({field.decode(): float(value) for field, value in found.items()}))

    def _add(self, amounts: dict[str, float]) -> None:
        def add(redis: Any) -> None:
            pipeline = redis.pipeline(transaction=False)
            for field, amount in amounts.items():
                pipeline.hincrbyfloat(HASH, field, amount)
            pipeline.execute()

        with suppress(RedisLost):
            self._ask(add)

    def _ask(self, question: Any) -> Any:
        if self._redis is None:
            raise RedisLost
        return self._redis.ask(question)


def _observed(name: str, seconds: float) -> dict[str, float]:
    bound = next(bound for bound in BOUNDS if seconds <= float(bound))
    return {f"{name} {bound}": 1, f"{name} sum": seconds}


def families(found: dict[str, float]) -> Iterator[Metric]:
    """The counts as Prometheus has them, from Redis' fields."""
    for name, (text, label, always) in COUNTERS.items():
        counter = CounterMetricFamily(f"bg_remover_{name}", text, labels=[label])
        labels = {field.partition(" ")[2] for field in found if field.partition(" ")[0] == name}
        for value in sorted(labels.union(always)):
            counter.add_metric([value], found.get(f"{name} {value}", 0.0))
        yield counter
    for name, text in HISTOGRAMS.items():
        sums = accumulate(found.get(f"{name} {bound}", 0.0) for bound in BOUNDS)
        histogram = HistogramMetricFamily(f"bg_remover_{name}", text)
        histogram.add_metric([], list(zip(BOUNDS, sums, strict=True)), found.get(f"{name} sum", 0.0))
        yield histogram
