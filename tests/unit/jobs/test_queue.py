"""The queue's pure parts: Celery's settings, lost acknowledgements, and a broker that is not there."""

import ssl
from types import SimpleNamespace
from typing import Any

import pytest
import redis
import structlog
from celery.concurrency import asynpool

from services.jobs.errors import QueueUnavailable
from services.jobs.queue import (
    QUEUE,
    TASK,
    Acknowledgements,
    Queue,
    consumer_class,
    make_celery,
    pool_class,
    request_class,
    with_jitter,
)
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


def noted(acknowledged: bool) -> tuple[Acknowledgements, SimpleNamespace]:
    """Ask for one acknowledgement, as a worker does at the end of a task."""
    acknowledgements, message = Acknowledgements(), SimpleNamespace(acknowledged=acknowledged)
    # Without Celery's constructor, which wants a whole worker.
    request: Any = object.__new__(request_class(acknowledgements))
    request._message, request._on_ack, request._connection_errors = message, lambda *_: None, ()
    request.acknowledge()
    return acknowledgements, message


def test_acknowledgement_sent_by_the_next_turn_of_the_loop_is_not_lost() -> None:
    acknowledgements, message = noted(acknowledged=False)
    acknowledgements.check()
    message.acknowledged = True
    for _ in range(3):
        acknowledgements.check()


def test_lost_acknowledgement_makes_the_worker_reconnect_once() -> None:
    acknowledgements, _ = noted(acknowledged=False)
    acknowledgements.check()
    with pytest.raises(ConnectionError):
        acknowledgements.check()
    for _ in range(3):
        acknowledgements.check()


def test_a_child_works_on_up_to_a_tenth_more() -> None:
    assert {with_jitter(100) for _ in range(2000)} == set(range(100, 111))
    assert {with_jitter(1) for _ in range(50)} == {1}


@pytest.mark.parametrize("most", [None, 1000])
def test_each_child_has_its_own_number(monkeypatch: pytest.MonkeyPatch, most: int | None) -> None:
    given: list[int | None] = []
    monkeypatch.setattr(
        asynpool.AsynPool, "_create_worker_process", lambda self, _index: given.append(self._maxtasksperchild)
    )
    children = pool_class().Pool
    pool: Any = children.__new__(children)
    pool._maxtasksperchild = most
    for index in range(20):
        pool._create_worker_process(index)
    assert pool._maxtasksperchild == most
    assert (len(set(given)) > 1) is (most is not None)
    assert all(tasks is None or 1000 <= tasks <= 1100 for tasks in given)


def test_pauses_for_a_broker_that_refuses_grow_and_each_reason_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("services.jobs.queue.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("services.jobs.queue.time.sleep", lambda seconds: clock.append(clock.pop() + seconds))
    kind = consumer_class()
    consumer = object.__new__(kind)

    def pause(reason: str) -> float:
        before = clock[0]
        consumer.on_connection_error_before_connected(redis.ResponseError(reason))
        return clock[0] - before

    with structlog.testing.capture_logs() as lines:
        assert [pause("replica") for _ in range(8)] == [0.25, 0.5, 1, 2, 4, 8, 10, 10]
        assert pause("disk full") == 10
        clock[0] += 60
        assert pause("disk full") == 0.25
    assert [line["reason"] for line in lines] == ["replica", "disk full", "disk full"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rediss://:secret@redis.example/0", {"ssl_cert_reqs": ssl.CERT_REQUIRED}),
        ("rediss://redis.example/0?ssl_cert_reqs=none", {"ssl_cert_reqs": ssl.CERT_NONE}),
        ("redis://redis.example/0", None),
    ],
)
def test_certificate_of_a_broker_is_checked(url: str, expected: object) -> None:
    for connection in (make_celery(url).connection_for_write(), make_celery(url).connection_for_read()):
        assert (connection.ssl or None) == expected
