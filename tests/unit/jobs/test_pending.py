"""What background processes find in the records; each question with one job that it finds and one that it does not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.jobs.pending import Backlog, PendingWork
from services.jobs.store import JobStore
from services.jobs.tables import item_id
from services.persistence.database import Database
from tests.support.jobs import FACTS, claim_item, finish_job, insert_job


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
    expired = claim_item(store, insert_job(store), lease=-1)
    (found,) = pending.expired_claims()
    assert (found.item.id, found.token) == (expired.item.id, expired.token)


def test_a_job_whose_items_have_ended_is_unclosed_until_it_is_closed(store: JobStore, pending: PendingWork) -> None:
    job_id = insert_job(store)
    insert_job(store)
    assert store.finish(claim_item(store, job_id), "results/x", FACTS)
    assert pending.unclosed() == [job_id]
    assert store.close(job_id)
    assert pending.unclosed() == []


def test_expired_jobs_are_found_until_their_files_are_removed(store: JobStore, pending: PendingWork) -> None:
    unexpired, expired, now = insert_job(store), insert_job(store), datetime.now(UTC)
    finish_job(store, unexpired)
    finish_job(JobStore(store.database, result_seconds=-60), expired)
    assert pending.expired_jobs(10) == [expired]
    assert pending.jobs_with_files([expired, unexpired, "0" * 32]) == {expired, unexpired}
    assert pending.old_records(now, 10) == []
    assert not store.mark_files_removed(unexpired)
    assert store.mark_files_removed(expired)
    assert not store.mark_files_removed(expired)
    assert pending.expired_jobs(10) == []
    assert pending.jobs_with_files([expired]) == set()
    assert pending.old_records(now, 10) == [expired]
    assert pending.old_records(now - timedelta(hours=1), 10) == []


def test_images_are_counted_by_state_with_the_age_of_the_oldest(store: JobStore) -> None:
    job_id = insert_job(store, 4, created_at=datetime.now(UTC) - timedelta(minutes=5))
    assert store.mark_queued(item_id(job_id, 2))
    claim_item(store, job_id, 3)
    found = PendingWork(store.database).backlog()
    assert (found.unsent, found.queued, found.started, found.webhooks_due) == (2, 1, 1, 0)
    assert 0 <= found.oldest_seconds < 60


def test_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert PendingWork(Database(f"sqlite:///{tmp_path}/jobs.db")).backlog() == Backlog()
    assert list(tmp_path.iterdir()) == []
