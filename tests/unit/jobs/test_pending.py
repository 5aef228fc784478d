"""What background processes find in the records; each question with one job that it finds and one that it does not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.jobs.pending import PendingWork
from services.jobs.store import JobStore
from services.jobs.tables import item_id
from tests.support.job_records import FACTS, claim_item, finish_job, insert_job, sqlite_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    with sqlite_store(tmp_path) as store:
        yield store


@pytest.fixture
def pending(store: JobStore) -> PendingWork:
    return PendingWork(store.database)


def test_only_callers_with_unsent_items_wait(store: JobStore, pending: PendingWork) -> None:
    insert_job(store, caller="ann")
    assert store.mark_queued(item_id(insert_job(store, caller="bob"), 1))
    claim_item(store, insert_job(store, caller="eve"))
    assert pending.waiting_callers() == ["ann"]


def test_items_not_yet_due_are_not_sent(store: JobStore, pending: PendingWork) -> None:
    job_id = insert_job(store)
    assert store.requeue(claim_item(store, job_id), "busy", "", 3600)
    assert pending.unsent("ann", [], 10) == []
    assert pending.waiting_callers() == []


def test_unsent_items_come_oldest_job_first_without_the_jobs_left_out(store: JobStore, pending: PendingWork) -> None:
    first, second = insert_job(store, 2), insert_job(store)
    insert_job(store, caller="bob")
    expected = [item_id(first, 1), item_id(first, 2), item_id(second, 1)]
    assert [item for item, _ in pending.unsent("ann", [], 10)] == expected
    assert pending.unsent("ann", [first], 10) == [(item_id(second, 1), second)]
    assert len(pending.unsent("ann", [], 2)) == 2


def test_queued_and_started_items_are_in_flight(store: JobStore, pending: PendingWork) -> None:
    job_id = insert_job(store, 3)
    assert store.mark_queued(item_id(job_id, 1))
    claim_item(store, job_id, 2)
    assert pending.in_flight("ann") == {job_id: 2}
    assert pending.in_flight("bob") == {}


def test_messages_sent_before_a_moment_are_found_oldest_first(store: JobStore, pending: PendingWork) -> None:
    items = [item_id(insert_job(store), 1) for _ in range(2)]
    for item in items:
        assert store.mark_queued(item)
    now = datetime.now(UTC)
    assert [item for item, _ in pending.queued_before(now)] == items
    assert [item for item, _ in pending.queued_before(now, limit=1)] == items[:1]
    assert pending.queued_before(now - timedelta(seconds=10)) == []


def test_only_expired_leases_are_expired_claims(store: JobStore, pending: PendingWork) -> None:
    claim_item(store, insert_job(store))
    expired = claim_item(store, insert_job(store), lease_seconds=-1)
    (found,) = pending.expired_claims()
    assert (found.item.id, found.token) == (expired.item.id, expired.token)


def test_a_job_whose_items_have_ended_is_unclosed_until_it_is_closed(store: JobStore, pending: PendingWork) -> None:
    job_id = insert_job(store)
    insert_job(store)
    assert store.finish(claim_item(store, job_id), "results/x", FACTS)
    assert pending.unclosed() == [job_id]
    assert store.close(job_id)
    assert pending.unclosed() == []


def test_expired_jobs_are_found_until_their_files_are_removed(tmp_path: Path) -> None:
    with sqlite_store(tmp_path) as kept:
        unexpired = insert_job(kept)
        finish_job(kept, unexpired)
        assert not kept.mark_files_removed(unexpired)
        pending, expiring = PendingWork(kept.database), JobStore(kept.database, result_seconds=-1)
        job_id = insert_job(expiring)
        finish_job(expiring, job_id)
        assert pending.expired_jobs(10) == [job_id]
        assert job_id in pending.jobs_with_files([job_id, "0" * 32])
        assert pending.old_records(datetime.now(UTC), 10) == []
        assert expiring.mark_files_removed(job_id)
        assert not expiring.mark_files_removed(job_id)
        assert pending.expired_jobs(10) == []
        assert pending.jobs_with_files([job_id]) == set()
        assert pending.old_records(datetime.now(UTC), 10) == [job_id]
        assert pending.old_records(datetime.now(UTC) - timedelta(hours=1), 10) == []
