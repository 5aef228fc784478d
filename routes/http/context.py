"""The state of one request, and the parts of the process that answers it."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from flask import current_app, g, request

from bootstrap.web import WebServices
from services.api_keys.caller import Caller
from services.capacity.deadline import Deadline
from services.errors import ServiceError
from services.imaging.pipeline import Result

EXTENSION = "background_remover"


@dataclass
class RequestState:
    """The facts about one request that its handlers share; the only thing that this service keeps on `flask.g`."""

    request_id: str = ""
    started: float = field(default_factory=time.monotonic)
    caller: Caller | None = None
    """The identified caller, on routes that look for one."""
    result: Result | None = None
    error: ServiceError | None = None
    cost: int = 1
    """What the request counts for in its quota."""
    model_fallback: str = ""
    """The model that answers instead of one that is not enabled."""
    reserved: int = 0
    """The images of the key's monthly quota that are held for this request."""
    held_bytes: int = 0
    """The bytes of the body that are counted as held in memory."""
    ends: ExitStack | None = None
    """The request's span, to be closed at its end."""


def state() -> RequestState:
    """Return this request's state."""
    if "state" not in g:
        g.state = RequestState()
    found: RequestState = g.state
    return found


def service() -> WebServices:
    """Return the parts of the process that answers this request."""
    found: WebServices = current_app.extensions[EXTENSION]
    return found


def request_deadline() -> Deadline:
    """Return this request's deadline, which runs from its first byte."""
    return Deadline(service().settings.request_timeout_seconds, caller_gone(), started=state().started)


def run_once(key: str, work: Callable[[Deadline], Result]) -> Result:
    """Return the result of `work`, or that of an earlier request with the same `key` that is still running.

    A caller that waits for another's result has "wait" as its only timing.
    """
    start = time.perf_counter()
    result, shared = service().coalescer.run(key, request_deadline(), work)
    return replace(result, timings={"wait": (time.perf_counter() - start) * 1000}) if shared else result


@contextmanager
def extend_connection_deadline(until: float) -> Iterator[None]:
    """Keep this request's connection open until then (monotonic time), although its response takes longer."""
    connection: socket.socket | None = request.environ.get("gunicorn.socket")
    deadlines = service().response_deadlines
    if connection is not None:
        deadlines[connection] = until
    try:
        yield
    finally:
        if connection is not None:
            deadlines.pop(connection, None)


def caller_gone() -> Callable[[], bool]:
    """Return a check whether the caller has closed this request's connection; always false without Gunicorn."""
    connection: socket.socket | None = request.environ.get("gunicorn.socket")

    def gone() -> bool:
        try:
            return connection is not None and connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            # Nothing to read: the caller waits.
            return False
        except (OSError, ValueError):
            return True

    return gone
