"""The queue's pure parts: Celery's settings, lost acknowledgements, and a broker that is not there."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from services.jobs.errors import QueueUnavailable
from services.jobs.queue import QUEUE, TASK, Queue, make_celery, reconnect_if_lost, request_class
from tests.support.waiting import free_port


class FakeCelery:
    """Records what it is asked to send; fails with `error` if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self._error = error

    def send_task(self, name: str, **options: Any) -> None:
        if self._error:
            raise self._error
        self.sent.append((name, options))


@pytest.fixture
def nowhere() -> str:
    """The URL of a Redis that is not there."""
    return f"redis://127.0.0.1:{free_port()}/0"


def test_send_sends_the_items_id_once(nowhere: str) -> None:
    celery = FakeCelery()
    Queue(nowhere, lambda: celery).send("item-1")
    assert celery.sent == [(TASK, {"args": ["item-1"], "task_id": "item-1", "queue": QUEUE, "retry": False})]


def test_celery_is_made_when_it_is_first_needed(nowhere: str) -> None:
    made: list[FakeCelery] = []

    def make() -> FakeCelery:
        made.append(FakeCelery())
        return made[-1]

    queue = Queue(nowhere, make)
    assert made == []
    queue.send("item-1")
    queue.send("item-2")
    assert len(made) == 1


@pytest.mark.parametrize("error", [OSError("gone"), ConnectionRefusedError()])
def test_an_error_of_the_broker_becomes_queue_unavailable(nowhere: str, error: Exception) -> None:
    with pytest.raises(QueueUnavailable, match=type(error).__name__):
        Queue(nowhere, lambda: FakeCelery(error)).send("item-1")


def test_a_broker_that_is_not_there_is_unavailable(nowhere: str) -> None:
    queue = Queue(nowhere)
    with pytest.raises(QueueUnavailable):
        queue.check()
    with pytest.raises(QueueUnavailable):
        queue.waiting()


def test_celery_decides_nothing_that_the_records_decide() -> None:
    conf = make_celery("redis://127.0.0.1:1/0", worker_concurrency=3).conf
    assert conf.task_ignore_result
    assert conf.task_acks_late
    assert not conf.task_reject_on_worker_lost
    assert conf.worker_concurrency == 3


@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_lost_acknowledgement_makes_the_worker_reconnect_once(acknowledged: bool) -> None:
    ack_lost = threading.Event()
    # Without Celery's constructor, which wants a whole worker.
    request: Any = object.__new__(request_class(ack_lost))
    request._message = SimpleNamespace(acknowledged=acknowledged)
    request._on_ack, request._connection_errors = lambda *_: None, ()
    request.acknowledge()
    assert ack_lost.is_set() is not acknowledged
    if not acknowledged:
        with pytest.raises(ConnectionError):
            reconnect_if_lost(ack_lost)
    reconnect_if_lost(ack_lost)
