"""What views work with: the service's parts, made once per process by `create_app`."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from flask import current_app, g, request

from config import Settings
from services.api_keys.key_cache import KeyCache
from services.capacity.admission import Admission, Bodies
from services.capacity.deadline import Deadline
from services.capacity.single_flight import Coalescer
from services.imaging.decode import ImageLimits
from services.imaging.options import Options
from services.imaging.pipeline import Result, remove_background
from services.inference.registry import Models
from services.jobs.dispatch import Dispatcher
from services.jobs.queries import JobQueries
from services.jobs.queue import Queue
from services.jobs.store import JobStore
from services.jobs.submit import JobSubmitter
from services.net.fetch import Fetched, Fetcher
from services.observability.metrics import Metrics
from services.persistence.redis import RedisProbe
from services.persistence.ttl_cache import TtlCache
from services.result_cache import ResultCache
from services.storage.base import Storage, StorageProbe

EXTENSION = "background_remover"


@dataclass(frozen=True)
class Jobs:
    """The parts that see to jobs; there with `JOBS_ENABLED`. `listeners`: how many more may listen to events; `recent`:
    what was told of jobs a moment ago, as JSON."""

    records: JobStore
    reports: JobQueries
    queue: Queue
    dispatcher: Dispatcher
    desk: JobSubmitter
    listeners: threading.BoundedSemaphore
    recent: TtlCache[tuple[str, bytes]]


@dataclass
class Service:
    """The parts of one process. `draining` is set when it has been told to stop."""

    settings: Settings
    models: Models
    limits: ImageLimits
    admission: Admission
    bodies: Bodies
    metrics: Metrics
    keys: KeyCache
    fetcher: Fetcher
    coalescer: Coalescer[Result]
    storage: Storage
    storage_probe: StorageProbe | None = None
    jobs: Jobs | None = None
    cache: ResultCache | None = None
    redis: RedisProbe | None = None
    draining: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.time)
    patience: dict[socket.socket, float] = field(default_factory=dict)
    """Connections whose answers take longer than a request may, and until when (monotonic time)."""

    def remove_background(
        self,
        data: bytes,
        options: Options,
        background: bytes | None = None,
        *,
        limits: ImageLimits | None = None,
        deadline: Deadline | None = None,
        require_subject: bool | None = None,
        jpeg_if_opaque: bool = False,
    ) -> Result:
        """One removal within the deadline; by default the request's, which runs from its first byte.

        See `services.imaging.pipeline.remove_background`.
        """
        return remove_background(
            data,
            options,
            background=background,
            models=self.models,
            limits=limits or self.limits,
            admission=self.admission,
            deadline=deadline or self.deadline(),
            require_subject=self.settings.require_subject if require_subject is None else require_subject,
            jpeg_if_opaque=jpeg_if_opaque,
            cache=self.cache,
        )

    def once(self, key: str, work: Callable[[Deadline], Result]) -> Result:
        """The result of `work`, or of the same (by `key`) that is under way for an earlier request. Who waits for
        another's result was not worked for: its only timing is "wait"."""
        start = time.perf_counter()
        result, shared = self.coalescer.run(key, self.deadline(), work)
        return replace(result, timings={"wait": (time.perf_counter() - start) * 1000}) if shared else result

    def fetch(self, url: str, max_bytes: int | None = None) -> Fetched:
        """The bytes behind a URL, within this request's deadline. See `services.net.fetch.Fetcher.fetch`."""
        return self.fetcher.fetch(url, self.deadline(), max_bytes)

    @contextmanager
    def unhurried(self, until: float) -> Iterator[None]:
        """This request has come whole, and its connection is left alone until then (monotonic time)."""
        connection: socket.socket | None = request.environ.get("gunicorn.socket")
        if connection is not None:
            self.patience[connection] = until
        try:
            yield
        finally:
            if connection is not None:
                self.patience.pop(connection, None)

    def deadline(self) -> Deadline:
        """This request's deadline."""
        return Deadline(self.settings.request_timeout_seconds, caller_gone(), started=g.started)


def caller_gone() -> Callable[[], bool]:
    """A look at this request's connection: whether the caller has closed it. Always false without Gunicorn."""
    connection: socket.socket | None = request.environ.get("gunicorn.socket")

    def gone() -> bool:
        try:
            return connection is not None and connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False  # nothing to read: the caller waits
        except (OSError, ValueError):
            return True

    return gone


def service() -> Service:
    """The parts of the app that answers this request."""
    found: Service = current_app.extensions[EXTENSION]
    return found
