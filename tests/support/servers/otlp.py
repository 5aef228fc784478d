"""A collector of traces: OTLP over HTTP on loopback, its protobuf decoded."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.waiting import poll


@dataclass(frozen=True)
class Span:
    """A received span: ids in hexadecimal, `process` from its resource."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    process: str
    failed: bool
    facts: dict[str, Any]

    def __str__(self) -> str:
        return self.name


class Collector:
    """A loopback server that keeps the spans that it receives; `status` is its answer, `headers` those of the last
    export."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.spans = status, list[Span]()
        self.headers: dict[str, str] = {}
        self.exports = 0
        self.raw = b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.exports += 1
                outer.headers = {name.lower(): value for name, value in self.headers.items()}
                if self.path == "/v1/traces" and outer.status == 200:
                    outer.raw += body
                    outer.spans += spans_of(body)
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def named(self, name: str, seconds: float = 20) -> Span:
        """Wait for a span of this name and return it."""
        found: Span = poll(lambda: next((s for s in self.spans if s.name == name), None), seconds, f"the span {name}")
        return found

    def below(self, parent: Span) -> list[str]:
        """Return the names of the spans directly below this one, in the order of their ends."""
        return [span.name for span in self.spans if span.parent_id == parent.span_id]


def spans_of(body: bytes) -> list[Span]:
    found = []
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        process = {entry.key: entry.value.string_value for entry in group.resource.attributes}.get("process", "")
        for span in (span for scope in group.scope_spans for span in scope.spans):
            facts = {entry.key: getattr(entry.value, entry.value.WhichOneof("value")) for entry in span.attributes}
            ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
            found.append(Span(span.name, span.kind, *ids, process, span.status.code == 2, facts))
    return found
