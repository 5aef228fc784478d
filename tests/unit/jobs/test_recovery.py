"""Recovery takes items back from lost workers, replaces lost messages, closes jobs, and is idempotent."""

from typing import cast

import pytest

from services.jobs.dispatch import Dispatcher
from services.jobs.errors import WorkerLost
from services.jobs.queries import JobQueries
from services.jobs.queue import Queue
from services.jobs.recovery import JobRecovery
from services.jobs.retry import RetryPolicy
from services.jobs.store import JobStore
from services.jobs.tables import FAILED, FINISHED, QUEUED, STARTED, item_id
from tests.support.jobs import FACTS, FakeQueue, claim_item, insert_job


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


def recovery(store: JobStore, queue: FakeQueue, *, retries: int = 1, lost_seconds: float = 60) -> JobRecovery:
    broker = cast(Queue, queue)
    return JobRecovery(store, broker, Dispatcher(store, broker, 100), RetryPolicy(retries, [0]), lost_seconds)


def test_items_that_nobody_sent_are_sent(store: JobStore, queue: FakeQueue) -> None:
    job_id = insert_job(store, 2)
    recovery(store, queue).run()
    recovery(store, queue).run()
    assert queue.sent == [item_id(job_id, 1), item_id(job_id, 2)]


def test_an_item_of_a_lost_worker_is_requeued_and_then_failed(store: JobStore, queue: FakeQueue) -> None:
    job_id, queries = insert_job(store), JobQueries(store.database)
    claim_item(store, job_id, lease=-1)
    recovery(store, queue).run()
    assert queries.job(job_id, None).items[0].state == QUEUED
    claim_item(store, job_id, lease=-1)
    recovery(store, queue).run()
    found = queries.job(job_id, None)
    assert (found.job.state, found.items[0].state, found.items[0].error_code) == (FAILED, FAILED, WorkerLost.code)


def test_an_item_with_a_valid_lease_is_left_alone(store: JobStore, queue: FakeQueue) -> None:
    job_id = insert_job(store)
    claim_item(store, job_id)
    recovery(store, queue).run()
    assert JobQueries(store.database).job(job_id, None).items[0].state == STARTED


def test_a_lost_message_is_replaced_and_one_that_waits_is_not(store: JobStore, queue: FakeQueue) -> None:
    lost, waiting = insert_job(store), insert_job(store)
    recovery(store, queue).run()
    queue.sent = [item_id(waiting, 1)]
    recovery(store, queue).run()
    assert queue.sent == [item_id(waiting, 1)]
    recovery(store, queue, lost_seconds=0).run()
    assert queue.sent == [item_id(waiting, 1), item_id(lost, 1)]


def test_a_job_whose_worker_died_before_closing_it_is_closed(store: JobStore, queue: FakeQueue) -> None:
    job_id = insert_job(store)
    assert store.finish(claim_item(store, job_id), "results/x", FACTS)
    recovery(store, queue).run()
    assert JobQueries(store.database).job(job_id, None).job.state == FINISHED
