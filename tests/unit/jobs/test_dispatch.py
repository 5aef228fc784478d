"""The dispatcher sends a limited number of items per job and per caller, and leaves the rest in the records."""

from typing import cast

import pytest

from services.jobs.dispatch import CALLER_SHARE, Dispatcher
from services.jobs.errors import QueueUnavailable
from services.jobs.pending import PendingWork
from services.jobs.queue import Queue
from services.jobs.store import JobStore
from services.jobs.tables import FAILED, item_id
from tests.support.jobs import FakeQueue, insert_job, new_records

PER_JOB = 2


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def dispatcher(store: JobStore, queue: FakeQueue) -> Dispatcher:
    return Dispatcher(store, cast(Queue, queue), PER_JOB)


def test_send_next_stops_at_the_limit_of_a_job(store: JobStore, queue: FakeQueue, dispatcher: Dispatcher) -> None:
    job_id = insert_job(store, 5)
    assert dispatcher.send_next("ann") == PER_JOB
    assert queue.sent == [item_id(job_id, 1), item_id(job_id, 2)]
    assert dispatcher.send_next("ann") == 0


def test_send_next_stops_at_the_limit_of_a_caller(store: JobStore, queue: FakeQueue, dispatcher: Dispatcher) -> None:
    for _ in range(5):
        insert_job(store, 2)
    assert dispatcher.send_next("ann") == CALLER_SHARE * PER_JOB
    assert len(queue.sent) == CALLER_SHARE * PER_JOB


def test_send_all_sends_the_items_of_every_caller(store: JobStore, queue: FakeQueue, dispatcher: Dispatcher) -> None:
    jobs = [insert_job(store, caller=caller) for caller in ("ann", "bob", "eve")]
    assert dispatcher.send_all() == 3
    assert set(queue.sent) == {item_id(job_id, 1) for job_id in jobs}


def test_items_that_could_not_be_sent_wait_again(store: JobStore, queue: FakeQueue, dispatcher: Dispatcher) -> None:
    insert_job(store, 2)
    queue.takes = 1
    with pytest.raises(QueueUnavailable):
        dispatcher.send_next("ann")
    assert sum(PendingWork(store.database).in_flight("ann").values()) == 1
    dispatcher.try_next("ann")  # raises nothing
    queue.takes = 1000
    assert dispatcher.send_next("ann") == 1


def test_mark_first_marks_items_up_to_the_limits(dispatcher: Dispatcher) -> None:
    _, items = new_records(5)
    items[0].state = FAILED
    assert dispatcher.mark_first(items, in_flight=0) == [items[1].id, items[2].id]
    assert [item.queued_at is not None for item in items] == [False, True, True, False, False]
    assert dispatcher.mark_first(new_records(5)[1], in_flight=CALLER_SHARE * PER_JOB - 1) != []
    assert dispatcher.mark_first(new_records(5)[1], in_flight=CALLER_SHARE * PER_JOB) == []


def test_marked_items_that_could_not_be_sent_wait_again(
    store: JobStore, queue: FakeQueue, dispatcher: Dispatcher
) -> None:
    job, items = new_records(2)
    marked = dispatcher.mark_first(items, in_flight=0)
    assert store.add(job, items)
    queue.takes = 1
    with pytest.raises(QueueUnavailable):
        dispatcher.send_marked(marked)
    assert PendingWork(store.database).unsent("ann", [], 10) == [(item_id(job.id, 2), job.id)]
