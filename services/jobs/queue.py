"""The queue: Celery over Redis carries item ids to workers, and nothing else.

There is no result backend, no event and no task state. A message may be lost: the record of its item is the truth, and
recovery sends another one. Celery is imported when it is first needed: the web server and the sweeper do without it
until then.
"""

import contextlib
import random
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
import structlog

from services.jobs.errors import QueueUnavailable
from services.persistence.redis import Redis, RedisError, RedisProbe, connect

TASK: Final = "remove_background"
QUEUE: Final = "images"
# For connecting and for each answer: a job cannot do without its broker, and a busy machine answers late.
PUBLISH_SECONDS: Final = 1.0
# An unacknowledged message is delivered again after this time; the record makes that harmless.
VISIBILITY_SECONDS: Final = 6 * 3600
# The largest part of a child's number of tasks that is added to it.
JITTER: Final = 0.1
# Between two attempts to use a broker that refuses; it doubles with each, and begins again after a while without one.
FIRST_PAUSE_SECONDS: Final = 0.25
MAX_PAUSE_SECONDS: Final = 10.0
STEADY_SECONDS: Final = 20.0
log = structlog.get_logger("queue")


def make_celery(url: str, **settings: Any) -> Any:
    """Make a Celery application that sends and takes item ids. Opens nothing."""
    from celery import Celery

    app = Celery("background-remover", broker=url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=True,
        # Recovery handles lost workers: a message that is redelivered immediately could loop for ever.
        task_reject_on_worker_lost=False,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=120,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_timeout=PUBLISH_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # An error that the broker answers with, such as READONLY after a failover, would end the worker.
        broker_channel_error_retry=True,
        # Kombu would accept any certificate. Options in the URL (`?ssl_ca_certs=…`) come first.
        broker_use_ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED} if url.startswith("rediss://") else None,
        broker_transport_options={"visibility_timeout": VISIBILITY_SECONDS, "socket_connect_timeout": PUBLISH_SECONDS},
        **settings,
    )
    return app


class Acknowledgements:
    """The acknowledgements that a worker has asked Celery for. It notices those that were lost with their connection.

    Celery only logs a lost acknowledgement. Its message keeps one of the slots for messages in progress, of which there
    is one per child; with all slots taken, Celery takes no more messages and never notices the dead connection.
    """

    def __init__(self) -> None:
        self._new: list[Any] = []
        self._overdue: list[Any] = []

    def note(self, message: Any) -> None:
        """Note that Celery was asked to acknowledge this message of Kombu."""
        self._new.append(message)

    def check(self) -> None:
        """Raise `ConnectionError` if a message is unacknowledged at the second check after it was noted: the main
        process's event loop then reconnects, with all slots free.

        Celery's event loop acknowledges in its next turn. So a message that was noted just before a check proves
        nothing.
        """
        lost = any(not message.acknowledged for message in self._overdue)
        self._overdue, self._new = [] if lost else self._new, []
        if lost:
            raise ConnectionError("an acknowledgement was lost")


def request_class(acknowledgements: Acknowledgements) -> type[Any]:
    """Make a worker's Celery request class, which notes each acknowledgement that it asks for."""
    from celery.worker.request import Request

    class NotedRequest(Request):  # type: ignore[misc] # Celery has no types
        def acknowledge(self) -> None:
            super().acknowledge()
            acknowledgements.note(self.message)

    return NotedRequest


def pool_class() -> type[Any]:
    """Make a worker's Celery pool, in which each child ends after a number of tasks of its own.

    Celery gives all children the same number. They start together and share the work evenly, so all would be replaced,
    and load their models, at the same time.
    """
    from celery.concurrency import asynpool, prefork

    class ChildPool(asynpool.AsynPool):  # type: ignore[misc] # Celery has no types
        _maxtasksperchild: int | None

        def _create_worker_process(self, i: int) -> Any:
            most = self._maxtasksperchild
            try:
                self._maxtasksperchild = most and with_jitter(most)
                return super()._create_worker_process(i)
            finally:
                self._maxtasksperchild = most

    class TaskPool(prefork.TaskPool):  # type: ignore[misc] # Celery has no types
        Pool = ChildPool

    return TaskPool


def consumer_class() -> type[Any]:
    """Make a worker's Celery consumer, which waits longer and longer for a broker that refuses what it needs.

    Celery itself pauses for a broker that can't be reached. To one that refuses, such as a replica, it connects five
    times a second, each time with a line in the log, and a traceback every second.
    """
    from celery.worker.consumer import Consumer
    from celery.worker.state import maybe_shutdown

    class PatientConsumer(Consumer):  # type: ignore[misc] # Celery has no types
        failed_at = pause = 0.0
        reason = ""

        def on_connection_error_before_connected(self, exc: Exception) -> None:
            now = time.monotonic()
            is_new = now - self.failed_at > MAX_PAUSE_SECONDS + STEADY_SECONDS
            self.pause = FIRST_PAUSE_SECONDS if is_new else min(2 * self.pause, MAX_PAUSE_SECONDS)
            if is_new or str(exc) != self.reason:
                log.warning("broker refuses the worker", kind=type(exc).__name__, reason=str(exc)[:300])
            self.reason, self.failed_at = str(exc), now
            while time.monotonic() - now < self.pause:
                maybe_shutdown()
                time.sleep(FIRST_PAUSE_SECONDS)

    return PatientConsumer


def with_jitter(tasks: int) -> int:
    """Return the number, or up to a tenth more."""
    # S311: nobody gains by guessing it.
    return tasks + random.randint(0, round(tasks * JITTER))  # noqa: S311


class Queue:
    """One process's connection to the queue. Making one opens nothing."""

    def __init__(self, url: str, celery: Callable[[], Any] | None = None) -> None:
        """`celery` makes the application that sends, when it is first needed."""
        self._url = url
        self._make = celery or (lambda: make_celery(url))
        self._celery: Any = None
        self._client: Redis | None = None
        self._probe = RedisProbe(url)

    def problem(self) -> str:
        """Return the broker's problem, without waiting for it; empty when it answers."""
        return self._probe.problem()

    def check(self) -> None:
        """Ping the broker, for two seconds at most. Raises `QueueUnavailable`."""
        with _translated():
            self._redis().ping()

    def send(self, item_id: str) -> None:
        """Send an item's id to the workers. Raises `QueueUnavailable`."""
        if self._celery is None:
            self._celery = self._make()
        with _translated():
            self._celery.send_task(TASK, args=[item_id], task_id=item_id, queue=QUEUE, retry=False)

    def waiting(self) -> set[str]:
        """Return the item ids of all messages that no worker has taken yet. Raises `QueueUnavailable`."""
        with _translated():
            messages: Any = self._redis().lrange(QUEUE, 0, -1)
        return {str(orjson.loads(message)["headers"]["id"]) for message in messages}

    def _redis(self) -> Redis:
        if self._client is None:
            self._client = connect(self._url, PUBLISH_SECONDS)
        return self._client


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Translate the broker's errors to `QueueUnavailable`; the reason goes to the log."""
    from kombu.exceptions import KombuError, OperationalError

    try:
        yield
    except (RedisError, KombuError, OperationalError, OSError) as exc:
        log.warning("queue not usable", kind=type(exc).__name__, reason=str(exc)[:300])
        raise QueueUnavailable(type(exc).__name__) from exc
