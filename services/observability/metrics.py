"""Prometheus metrics of all worker processes together."""

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from services.observability.background_check import BackgroundCheck
from services.observability.machine import CpuSeconds, service_pids

MEMORY_KEEP_SECONDS: Final = 5.0
SIZES: Final = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
BYTES: Final = tuple(int(size * 2**20) for size in SIZES)
SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 30, 60)

STEPS: Final = ("queue", "cache", "decode", "segment", "refine", "decontaminate", "compose", "encode")
OUR_FAILURES: Final = (
    *("internal_error", "busy", "deadline_exceeded", "engine_unavailable"),
    *("storage_unavailable", "database_unavailable", "queue_unavailable"),
)
FIRST_SERIES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    *(("requests", ("POST", "/remove-background", status)) for status in ("200", "500")),
    ("request_seconds", ("/remove-background",)),
    *(("stage_seconds", (step,)) for step in STEPS),
    ("images", ("jpeg", "ok")),
    *(("refused", (code,)) for code in OUR_FAILURES),
    *(("fetches", (outcome,)) for outcome in ("ok", "source_timeout", "source_failed")),
    *(("cache", (outcome,)) for outcome in ("hit", "miss", "lost")),
    ("rate_limited", ("/remove-background",)),
)


class LoadedModel(Protocol):
    """A loaded model, as `model_info` shows it; `RembgSegmenter` is one."""

    name: str
    engine: str
    precision: str
    warning: str


class Metrics:
    """The service's metrics; names start with `bg_remover_`."""

    def __init__(self) -> None:
        self._memory = ResidentMemory()
        self._registry = CollectorRegistry()
        self._others: list[Collector] = []
        self._registry.register(self._memory)
        self.add(CpuSeconds())
        labelled = self._labelled
        self.requests = labelled(Counter, "requests", "Requests answered", ("method", "endpoint", "status"))
        self.request_seconds = labelled(
            Histogram, "request_duration_seconds", "Time to answer a request", ("endpoint",), buckets=SECONDS
        )
        self.stage_seconds = labelled(
            Histogram, "stage_duration_seconds", "Time of one step of a removal", ("stage",), buckets=SECONDS
        )
        self.images = labelled(Counter, "images", "Images by format and outcome", ("format", "outcome"))
        self.megapixels = labelled(
            Histogram,
            "image_megapixels",
            "Size of the images worked on",
            buckets=(0.3, 1, 2, 4, 8, 12, 24, 50, 100),
        )
        self.upload_bytes = labelled(Histogram, "upload_bytes", "Bytes of the images received", buckets=BYTES)
        self.result_bytes = labelled(Histogram, "result_bytes", "Bytes of the results sent", buckets=BYTES)
        self.in_flight = labelled(Gauge, "in_flight", "Images being worked on", multiprocess_mode="sum")
        self.waiting = labelled(Gauge, "waiting", "Images waiting for a place", multiprocess_mode="sum")
        self.refused = labelled(Counter, "refused", "Requests answered with an error, by code", ("code",))
        self.fetches = labelled(Counter, "fetches", "URLs fetched, by outcome: ok, or the error's code", ("outcome",))
        self.cache = labelled(
            Counter, "result_cache", "Looks for a kept result: hit, miss, or lost Redis", ("outcome",)
        )
        self.rate_limited = labelled(Counter, "rate_limited", "Requests over their quota", ("endpoint",))
        # Labelled by the key's name, which the operator chose and which bounds the series; never by text from a caller.
        self.key_requests = labelled(Counter, "key_requests", "Requests with a valid API key", ("key",))
        self.model_info = labelled(
            Gauge,
            "model_info",
            "1 for each loaded model",
            ("model", "engine", "precision"),
            multiprocess_mode="max",
        )
        self.model_fallback = labelled(
            Gauge,
            "model_fallback",
            "1 where a model runs on another engine or precision than asked for",
            ("model",),
            multiprocess_mode="max",
        )
        # A slot's files may hold what a killed worker last had.
        self.set_load(0, 0)
        self._start_series()

    def _labelled(self, kind: type[Any], name: str, text: str, labels: tuple[str, ...] = (), **more: Any) -> Any:
        return kind(f"bg_remover_{name}", text, labels, registry=self._registry, **more)

    def _start_series(self) -> None:
        """Begin the series of alerts and dashboard with 0: a rate needs a value from before the first event."""
        for name, labels in FIRST_SERIES:
            getattr(self, name).labels(*labels)

    def add(self, collector: Collector) -> None:
        """Include the metrics of this collector in every scrape."""
        self._others.append(collector)
        self._registry.register(collector)

    def set_load(self, running: int, waiting: int) -> None:
        """Note how many images this process works on, and how many wait."""
        self.in_flight.set(running)
        self.waiting.set(waiting)

    def note_model(self, segmenter: LoadedModel) -> None:
        """Note that a model is loaded, and what it runs on."""
        name = segmenter.name
        self.model_info.labels(name, segmenter.engine, segmenter.precision).set(1)
        self.model_fallback.labels(name).set(bool(segmenter.warning))

    def forget_model(self, segmenter: LoadedModel) -> None:
        """Note that a model is loaded no more."""
        name = segmenter.name
        self.model_info.labels(name, segmenter.engine, segmenter.precision).set(0)
        self.model_fallback.labels(name).set(0)

    def registry(self) -> CollectorRegistry:
        """What a scrape reads: all workers' counts together, and the memory they hold."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        for collector in (self._memory, *self._others):
            registry.register(collector)
        return registry

    def resident_bytes(self) -> int:
        """The service's memory now or, where that takes long, when it was last read."""
        return self._memory.bytes()

    def text(self) -> bytes:
        """The Prometheus exposition format."""
        return generate_latest(self.registry())

    def as_json(self) -> dict[str, list[dict[str, object]]]:
        """The same figures as one JSON object: sample name to its label sets and values."""
        samples: dict[str, list[dict[str, object]]] = {}
        for metric in self.registry().collect():
            for sample in metric.samples:
                if not sample.name.endswith("_created"):
                    samples.setdefault(sample.name, []).append({"labels": sample.labels, "value": sample.value})
        return samples


class ResidentMemory(Collector):
    """`resident_bytes`: memory of the whole process tree, shared pages counted once.

    The kernel adds it up page by page, under a lock that the process's own allocations hold too: a matter of
    milliseconds at rest, of seconds under load.
    """

    def __init__(self) -> None:
        self._probe = BackgroundCheck(resident_bytes, peak_bytes(), MEMORY_KEEP_SECONDS)

    def bytes(self) -> int:
        return self._probe.latest()[0]

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("bg_remover_resident_bytes", "Memory of the service, shared pages once")
        family.add_metric([], self.bytes())
        yield family

    def describe(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("bg_remover_resident_bytes", "Memory of the service, shared pages once")


def resident_bytes() -> int:
    """Bytes held by this process and, under Gunicorn, its master and siblings; shared pages counted once (PSS)."""
    found = [size for pid in service_pids() if (size := _proportional_bytes(pid)) is not None]
    return sum(found) if found else peak_bytes()


def peak_bytes() -> int:
    """The most that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _proportional_bytes(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)
