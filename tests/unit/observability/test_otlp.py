"""Spans as a collector receives them, over HTTP on loopback."""

import logging
import time
from collections.abc import Iterator

import pytest
import structlog
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from services.errors import DeadlineExceeded
from services.observability.otlp import OtlpTracer, ReportingExporter
from services.observability.tracing import Kind
from tests.support.servers.otlp import Collector

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def tracer_to(collector: Collector, share: float = 1.0) -> OtlpTracer:
    return OtlpTracer(collector.url, headers={"x-token": "abc"}, resource={"process": "web"}, share=share)


def test_collector_receives_nested_spans_with_their_attributes(collector: Collector) -> None:
    tracer = tracer_to(collector)
    with tracer.span("POST /matte", Kind.SERVER, {}) as outer, tracer.span("decode", Kind.INTERNAL, {}):
        outer.note({"http.response.status_code": 200, "cached": True})
    tracer.stop()
    inner, request = collector.named("decode"), collector.named("POST /matte")
    assert inner.parent_id == request.span_id
    assert (request.parent_id, request.kind, inner.kind) == ("", 2, 1)
    assert request.facts == {"http.response.status_code": 200, "cached": True}
    assert (request.process, request.failed) == ("web", False)
    assert collector.headers["x-token"] == "abc"


def test_trace_of_another_process_goes_on(collector: Collector) -> None:
    tracer = tracer_to(collector, share=0.0)
    with tracer.span("item", Kind.CONSUMER, {"traceparent": PARENT}) as span:
        assert span.log_fields() == {"trace_id": TRACE}
        assert tracer.current().headers()["traceparent"].startswith(f"00-{TRACE}-")
        assert PARENT not in span.headers().values()
    tracer.stop()
    item = collector.named("item")
    assert (item.trace_id, item.parent_id) == (TRACE, "b7ad6b7169203331")


@pytest.mark.parametrize("given", ["", "00-zz", f"00-{'0' * 32}-b7ad6b7169203331-01", "a" * 10_000])
def test_bad_traceparent_begins_a_trace(collector: Collector, given: str) -> None:
    tracer = tracer_to(collector)
    with tracer.span("request", Kind.SERVER, {"traceparent": given}):
        pass
    tracer.stop()
    assert collector.named("request").parent_id == ""


def test_trace_that_its_caller_does_not_record_is_not_sent(collector: Collector) -> None:
    tracer = tracer_to(collector)
    with tracer.span("request", Kind.SERVER, {"traceparent": PARENT.removesuffix("01") + "00"}):
        pass
    tracer.stop()
    assert collector.spans == []


def test_error_marks_its_span_by_code_and_not_by_text(collector: Collector) -> None:
    tracer = tracer_to(collector)
    with pytest.raises(DeadlineExceeded), tracer.span("decode", Kind.INTERNAL, {}):
        raise DeadlineExceeded("holiday.jpg took too long")
    with pytest.raises(ValueError), tracer.span("encode", Kind.INTERNAL, {}):
        raise ValueError("secret")
    tracer.stop()
    assert collector.named("decode").failed
    assert collector.named("decode").facts == {"error.type": "deadline_exceeded"}
    assert collector.named("encode").facts == {"error.type": "ValueError"}
    assert b"holiday" not in collector.raw
    assert b"secret" not in collector.raw


@pytest.mark.slow
def test_stop_does_not_wait_for_a_collector_that_is_down() -> None:
    tracer = OtlpTracer("http://127.0.0.1:1", headers={}, resource={})
    with tracer.span("request", Kind.SERVER, {}):
        pass
    started = time.monotonic()
    tracer.stop()
    assert time.monotonic() - started < 4


class Scripted(SpanExporter):
    """An exporter that fails on demand, with a line of its own for each attempt."""

    def __init__(self, *results: SpanExportResult) -> None:
        self._left = list(results)

    def export(self, spans: object) -> SpanExportResult:
        logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter").error("code: 503")
        return self._left.pop(0)

    def shutdown(self) -> None: ...


def test_lost_spans_are_logged_once_until_they_arrive_again(caplog: pytest.LogCaptureFixture) -> None:
    bad, good = SpanExportResult.FAILURE, SpanExportResult.SUCCESS
    exporter = ReportingExporter(Scripted(bad, bad, bad, good, good, bad))
    with structlog.testing.capture_logs() as lines:
        for _ in range(6):
            exporter.export([])
    assert [line["event"] for line in lines] == ["traces not sent", "traces sent again", "traces not sent"]
    assert lines[0]["reason"] == "code: 503"
    assert caplog.records == []
