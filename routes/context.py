"""What views work with: the service's parts, made once per process by `create_app`."""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import current_app, g, request

from config import Settings
from services.admission import Admission, Bodies
from services.deadline import Deadline
from services.decode import ImageLimits
from services.dispatch import Dispatcher
from services.fetch import Fetched, Fetcher
from services.keyring import Keyring
from services.options import Options
from services.pipeline import Result, remove_background
from services.probe import Probe
from services.queue import Queue
from services.records import Records
from services.redis_client import RedisProbe
from services.reports import Reports
from services.sessions import Models
from services.storage import Storage
from services.submission import Desk
from services.telemetry import Metrics

EXTENSION = "background_remover"


@dataclass(frozen=True)
class Jobs:
    """The parts that see to jobs; there with `JOBS_ENABLED`. `storage` tells what is wrong with it."""

    records: Records
    reports: Reports
    queue: Queue
    dispatcher: Dispatcher
    desk: Desk
    storage: Probe[str]


@dataclass
class Service:
    """The parts of one process. `draining` is set when it has been told to stop."""

    settings: Settings
    models: Models
    limits: ImageLimits
    admission: Admission
    bodies: Bodies
    metrics: Metrics
    keys: Keyring
    fetcher: Fetcher
    storage: Storage
    jobs: Jobs | None = None
    redis: RedisProbe | None = None
    draining: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.time)

    def remove_background(self, data: bytes, options: Options, background: bytes | None = None) -> Result:
        """One removal within this request's deadline, which runs from its first byte.

        See `services.pipeline.remove_background`.
        """
        return remove_background(
            data,
            options,
            background=background,
            models=self.models,
            limits=self.limits,
            admission=self.admission,
            deadline=self._deadline(),
            require_subject=self.settings.require_subject,
        )

    def fetch(self, url: str) -> Fetched:
        """The bytes behind a URL, within this request's deadline. See `services.fetch.Fetcher.fetch`."""
        return self.fetcher.fetch(url, self._deadline())

    def _deadline(self) -> Deadline:
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
