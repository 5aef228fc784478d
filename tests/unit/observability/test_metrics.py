"""The figures of one process, as text and as JSON."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.observability import metrics as module
from services.observability.metrics import Metrics, resident_bytes


class Countdown(Collector):
    """A gauge that is one less at each scrape."""

    def __init__(self) -> None:
        self._value = 10

    def describe(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("jobs", "Jobs")

    def collect(self) -> Iterator[Metric]:
        self._value -= 1
        yield GaugeMetricFamily("jobs", "Jobs", value=self._value)


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> object:
    """The value of the only sample with this name and these labels."""
    (found,) = [sample["value"] for sample in metrics.as_json()[name] if sample["labels"] == labels]
    return found


def test_load_is_zero_until_it_is_set(metrics: Metrics) -> None:
    assert (value(metrics, "bg_remover_in_flight"), value(metrics, "bg_remover_waiting")) == (0, 0)
    metrics.set_load(2, 5)
    assert (value(metrics, "bg_remover_in_flight"), value(metrics, "bg_remover_waiting")) == (2, 5)


def test_series_of_alerts_begin_with_zero(metrics: Metrics) -> None:
    assert value(metrics, "bg_remover_refused_total", code="internal_error") == 0
    assert value(metrics, "bg_remover_requests_total", method="POST", endpoint="/remove-background", status="500") == 0
    assert value(metrics, "bg_remover_stage_duration_seconds_count", stage="segment") == 0


def test_forgotten_model_counts_as_unloaded(metrics: Metrics) -> None:
    labels = {"model": "u2net", "engine": "cpu", "precision": "f32"}
    model = SimpleNamespace(name="u2net", engine="cpu", precision="f32", warning="no GPU")
    metrics.note_model(model)
    assert value(metrics, "bg_remover_model_info", **labels) == 1
    assert value(metrics, "bg_remover_model_fallback", model="u2net") == 1
    metrics.forget_model(model)
    assert value(metrics, "bg_remover_model_info", **labels) == 0
    assert value(metrics, "bg_remover_model_fallback", model="u2net") == 0


def test_text_and_json_hold_the_same_counts(metrics: Metrics) -> None:
    metrics.refused.labels("busy").inc(3)
    assert b'bg_remover_refused_total{code="busy"} 3.0\n' in metrics.text()
    assert value(metrics, "bg_remover_refused_total", code="busy") == 3
    assert not [name for name in metrics.as_json() if name.endswith("_created")]


def test_added_collector_is_read_at_each_scrape(metrics: Metrics) -> None:
    metrics.add(Countdown())
    first, second = value(metrics, "jobs"), value(metrics, "jobs")
    assert (first, second) == (9, 8)


def test_resident_bytes_fall_back_to_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_proportional_bytes", lambda _pid: None)
    monkeypatch.setattr(module, "peak_bytes", lambda: 123)
    assert resident_bytes() == 123
