"""Traces: spans of requests, steps, jobs and webhooks. They cost and import nothing without a tracer, which `use` sets.

Like the log, there is one tracer for a process; `otlp.py` has the one that sends spans to a collector. Attributes hold
no secret, no file name, no URL, and no id of a job: that id opens the job of a caller without a key.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum
from typing import Final, Protocol

Fact = str | int | float | bool
TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"


class Kind(StrEnum):
    """The role of a span: inside a process, or on one side of a call or a message."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span:
    """A span that records nothing."""

    def headers(self) -> dict[str, str]:
        """Return the headers by which another process continues the trace; none without a trace."""
        return {}

    def log_fields(self) -> dict[str, str]:
        """Return the trace's id for log lines; nothing without a trace."""
        return {}

    def note(self, facts: Mapping[str, Fact]) -> None:
        """Add attributes."""

    def fail(self, code: str) -> None:
        """Mark the span as failed with the code of an error."""


class Tracer(Protocol):
    """A maker of spans."""

    def span(self, name: str, kind: Kind, parent: Mapping[str, str]) -> AbstractContextManager[Span]:
        """Return a span that is current inside `with`. `parent` holds headers of another process."""

    def current(self) -> Span:
        """Return the current span."""

    def stop(self) -> None:
        """Send the spans that are not sent yet, for a moment at most."""


NOTHING: Final = Span()
_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """Make this the tracer of the process. Call it after the fork."""
    # PLW0603: there is one per process, like the log.
    global _tracer
    _tracer = tracer


def stop() -> None:
    """Send the spans that are not sent yet, and record none from now on."""
    tracer = _tracer
    use(None)
    if tracer:
        tracer.stop()


def span(
    name: str, kind: Kind = Kind.INTERNAL, parent: Mapping[str, str] | None = None
) -> AbstractContextManager[Span]:
    """Return a span for `with`, below the current one or, given its headers, below that of another process.

    An exception marks it as failed with the error's code, never with its text.
    """
    return _tracer.span(name, kind, parent or {}) if _tracer else nullcontext(NOTHING)


def current() -> Span:
    """Return the current span."""
    return _tracer.current() if _tracer else NOTHING


@contextmanager
def without_sdk() -> Iterator[None]:
    """Hide the OpenTelemetry SDK from an import: redis-py would import its metrics, which are not used here."""
    name = "opentelemetry"
    hidden = name not in sys.modules
    if hidden:
        # Python's own mark of a module that must not be imported; typeshed does not know it.
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules[name]


def parent_of(traceparent: str | None) -> dict[str, str]:
    """Return the headers of a recorded `traceparent`."""
    return {TRACEPARENT: traceparent} if traceparent else {}
