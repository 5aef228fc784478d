"""Sends spans to an OpenTelemetry collector by OTLP over HTTP. Nothing else imports the OpenTelemetry packages.

A thread sends the spans in batches. A collector that is down costs no request: spans that don't fit into the queue are
dropped, and the log has one line when it begins and one when it is over.
"""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.errors import ServiceError
from services.observability.tracing import TRACEPARENT, Fact, Kind, Span

PATH: Final = "/v1/traces"
STOP_SECONDS: Final = 2.0
MAX_REASON_CHARS: Final = 300
KINDS: Final = {kind: trace.SpanKind[kind.name] for kind in Kind}
PROPAGATOR: Final = TraceContextTextMapPropagator()
log = structlog.get_logger("tracing")


class OtlpTracer:
    """Makes spans and sends them to the collector at `endpoint`. It starts a thread: make it after the fork."""

    def __init__(
        self, endpoint: str, *, headers: Mapping[str, str], resource: Mapping[str, str], share: float = 1.0
    ) -> None:
        """`share` of the traces that begin here are recorded; one that began elsewhere is recorded if its caller's is.

        `headers` go with each export.
        """
        self._exporter = ReportingExporter(OTLPSpanExporter(f"{endpoint.rstrip('/')}{PATH}", headers=dict(headers)))
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)),
            resource=Resource.create(dict(resource)),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("background-remover")

    @contextmanager
    def span(self, name: str, kind: Kind, parent: Mapping[str, str]) -> Iterator[Span]:
        """See `Tracer.span`."""
        context = PROPAGATOR.extract(parent) if parent else None
        with self._tracer.start_as_current_span(
            name,
            context,
            kind=KINDS[kind],
            # Texts of errors may hold names of files.
            record_exception=False,
            set_status_on_exception=False,
        ) as started:
            span = RecordingSpan(started)
            try:
                yield span
            except BaseException as exc:
                span.fail(exc.code if isinstance(exc, ServiceError) else type(exc).__name__)
                raise

    def current(self) -> Span:
        """See `Tracer.current`."""
        return RecordingSpan(trace.get_current_span())

    def stop(self) -> None:
        """See `Tracer.stop`."""
        # The provider's own limit is 30 s.
        sending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        sending.start()
        sending.join(STOP_SECONDS)


class RecordingSpan(Span):
    """A span of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def headers(self) -> dict[str, str]:
        """See `Span.headers`."""
        found: dict[str, str] = {}
        PROPAGATOR.inject(found, trace.set_span_in_context(self._span))
        return {name: value for name, value in found.items() if name == TRACEPARENT}

    def log_fields(self) -> dict[str, str]:
        """See `Span.log_fields`."""
        context = self._span.get_span_context()
        return {"trace_id": trace.format_trace_id(context.trace_id)} if context.is_valid else {}

    def note(self, facts: Mapping[str, Fact]) -> None:
        """See `Span.note`."""
        self._span.set_attributes(facts)

    def fail(self, code: str) -> None:
        """See `Span.fail`."""
        self._span.set_attribute("error.type", code)
        self._span.set_status(trace.StatusCode.ERROR)


class ReportingExporter(SpanExporter):
    """Logs when spans begin to be lost and when they arrive again, instead of a line for each attempt."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter, self._failing = exporter, False
        # It retries with a line for each attempt, and the SDK writes one for each span that does not fit.
        logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter").addFilter(LAST_MESSAGE)
        logging.getLogger("opentelemetry.sdk").setLevel(logging.CRITICAL)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send the spans."""
        result = self._exporter.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._failing:
            log.warning("traces not sent", reason=LAST_MESSAGE.text)
        elif self._failing and not failed:
            log.info("traces sent again")
        self._failing = failed
        return result

    def shutdown(self) -> None:
        """End the attempts."""
        self._exporter.shutdown()


class _LastMessage(logging.Filter):
    """Keeps a logger's last message instead of writing it."""

    text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        self.text = record.getMessage()[:MAX_REASON_CHARS]
        return False


LAST_MESSAGE: Final = _LastMessage()
