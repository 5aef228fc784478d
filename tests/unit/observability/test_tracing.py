"""Spans without a tracer, and the tracer of a process."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext

import pytest

from services.observability import tracing
from services.observability.tracing import NOTHING, Kind, Span
from tests.support.waiting import ROOT


class Names(Span):
    """A tracer that keeps the names of its spans."""

    def __init__(self) -> None:
        self.names: list[tuple[str, Kind, Mapping[str, str]]] = []
        self.stopped = False

    def span(self, name: str, kind: Kind, parent: Mapping[str, str]) -> AbstractContextManager[Span]:
        self.names.append((name, kind, parent))
        return nullcontext(self)

    def current(self) -> Span:
        return self

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def names() -> Iterator[Names]:
    tracer = Names()
    tracing.use(tracer)
    yield tracer
    tracing.use(None)


def test_span_without_a_tracer_records_nothing() -> None:
    with tracing.span("decode") as span:
        span.note({"model": "u2netp"})
        span.fail("busy")
    assert (span, tracing.current()) == (NOTHING, NOTHING)
    assert (span.headers(), span.log_fields()) == ({}, {})


def test_spans_go_to_the_tracer_of_the_process(names: Names) -> None:
    parent = tracing.parent_of("00-aa-bb-01")
    with tracing.span("item", Kind.CONSUMER, parent), tracing.span("decode"):
        assert tracing.current() is names
    assert names.names == [("item", Kind.CONSUMER, {"traceparent": "00-aa-bb-01"}), ("decode", Kind.INTERNAL, {})]


def test_stop_sends_the_rest_and_ends_the_tracing(names: Names) -> None:
    tracing.stop()
    assert names.stopped
    assert tracing.current() is NOTHING
    tracing.stop()


def test_parent_of_nothing_has_no_headers() -> None:
    assert tracing.parent_of(None) == {}


@pytest.mark.slow
@pytest.mark.parametrize("module", ["app", "worker", "sweeper", "cli"])
def test_processes_without_an_endpoint_import_nothing_of_opentelemetry(module: str) -> None:
    script = (
        f"import {module}, sys; from bootstrap.settings import load_settings; settings = load_settings();"
        "from bootstrap.observability import start_tracing; start_tracing(settings, 'web');"
        + ("app.create_app(settings);" if module == "app" else "")
        + "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, check=True, timeout=60)
