"""The queue: Celery over Redis carries item ids to workers, and nothing else. It may lose them: the records know.

There is no result backend, no event, and no task state: what became of an item stands in its record.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
import redis
import structlog

from services.jobs.errors import QueueUnavailable
from services.persistence.redis import RedisProbe, redis_options

TASK: Final = "remove_background"
QUEUE: Final = "images"
PUBLISH_SECONDS: Final = 1.0
VISIBILITY_SECONDS: Final = 6 * 3600  # an unacknowledged message comes again; the record makes that harmless
log = structlog.get_logger("queue")


def make_celery(url: str, **settings: Any) -> Any:
    """A Celery application that sends and takes item ids. Opens nothing."""
    from celery import Celery

    app = Celery("background-remover", broker=url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=True,
        task_reject_on_worker_lost=False,  # the sweep sees to it: a message that comes back at once can loop for ever
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
        broker_transport_options={"visibility_timeout": VISIBILITY_SECONDS, "socket_connect_timeout": PUBLISH_SECONDS},
        **settings,
    )
    return app


class Queue:
    """One process's way to the queue. Making one opens nothing."""

    def __init__(self, url: str, celery: Callable[[], Any] | None = None) -> None:
        """`celery` makes the application that sends, when it is first needed."""
        self._url = url
        self._make = celery or (lambda: make_celery(url))
        self._celery: Any = None
        self._client: redis.Redis | None = None
        self._probe = RedisProbe(url)

    def problem(self) -> str:
        """What is wrong with the broker, without waiting for it; empty when it answers."""
        return self._probe.problem()

    def check(self) -> None:
        """Raises `QueueUnavailable` when the broker does not answer; takes a fifth of a second at most."""
        with _translated():
            self._redis().ping()

    def send(self, item_id: str) -> None:
        """Tell some worker to look at this item. Raises `QueueUnavailable`."""
        if self._celery is None:
            self._celery = self._make()
        with _translated():
            self._celery.send_task(TASK, args=[item_id], task_id=item_id, queue=QUEUE, retry=False)

    def waiting(self) -> set[str]:
        """The ids whose messages no worker has taken yet. Raises `QueueUnavailable`."""
        with _translated():
            messages: Any = self._redis().lrange(QUEUE, 0, -1)
        return {str(orjson.loads(message)["headers"]["id"]) for message in messages}

    def _redis(self) -> redis.Redis:
        if self._client is None:
            self._client = redis.Redis.from_url(self._url, **redis_options(self._url))
        return self._client


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Whatever a lost broker makes of itself, as ours; the log has the reason."""
    from kombu.exceptions import KombuError, OperationalError

    try:
        yield
    except (redis.RedisError, KombuError, OperationalError, OSError) as exc:
        log.warning("queue not usable", kind=type(exc).__name__, reason=str(exc)[:300])
        raise QueueUnavailable(type(exc).__name__) from exc
