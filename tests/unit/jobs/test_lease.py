"""A lease renews its claim, reports the stage, and notices that the item was taken away."""

import threading
from typing import cast

import pytest

from services.errors import DatabaseUnavailable
from services.jobs import lease as module
from services.jobs.lease import PROGRESS, Lease
from services.jobs.queries import JobQueries
from services.jobs.store import Claim, JobStore
from services.persistence.database import Database
from tests.support.jobs import LEASE, claim_item, insert_job
from tests.support.waiting import poll


@pytest.fixture(autouse=True)
def _renewed_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.005)


class UnavailableStore(JobStore):
    """A store whose database is away; `renewals` are the attempts to reach it."""

    def __init__(self) -> None:
        super().__init__(Database("sqlite:///nowhere.db"), result_seconds=1)
        self.renewals = threading.Semaphore(0)

    def renew(self, claim: Claim, lease_seconds: float, stage: str | None, progress: int) -> bool:
        self.renewals.release()
        raise DatabaseUnavailable("away")


def test_renewal_records_the_stage_and_its_progress(store: JobStore) -> None:
    job_id = insert_job(store)
    queries = JobQueries(store.database)
    claim = claim_item(store, job_id)
    with Lease(store, claim, LEASE) as lease:
        lease.note_stage("refine")
        poll(lambda: queries.job(job_id, None).items[0].stage == "refine", 10, "a renewal")
        assert not lease.lost()
    (item,) = queries.job(job_id, None).items
    assert item.progress == PROGRESS["refine"]
    assert item.lease_until
    assert claim.item.lease_until
    assert item.lease_until > claim.item.lease_until


def test_progress_of_an_animation_is_the_share_of_its_frames(store: JobStore) -> None:
    job_id = insert_job(store)
    queries = JobQueries(store.database)
    with Lease(store, claim_item(store, job_id), LEASE) as lease:
        lease.note_stage("segment")
        lease.note_frames(30, 60)
        poll(lambda: queries.job(job_id, None).items[0].progress == round(PROGRESS["store"] / 2), 10, "a renewal")
        lease.note_stage("decode")
        lease.note_frames(60, 60)
        poll(lambda: queries.job(job_id, None).items[0].progress == PROGRESS["store"], 10, "a renewal")


def test_lease_is_lost_when_the_job_is_cancelled(store: JobStore) -> None:
    job_id = insert_job(store)
    with Lease(store, claim_item(store, job_id), LEASE) as lease:
        assert store.cancel(job_id)
        poll(lease.lost, 10, "the lease to notice the cancel")


def test_lease_outlives_an_unavailable_database_until_it_expires() -> None:
    store, claim = UnavailableStore(), cast(Claim, None)
    with Lease(store, claim, LEASE) as lease:
        for _ in range(3):
            assert store.renewals.acquire(timeout=10)
        assert not lease.lost()
    with Lease(store, claim, 0.02) as lease:
        poll(lease.lost, 10, "the lease to expire")
