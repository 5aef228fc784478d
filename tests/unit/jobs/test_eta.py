"""How long a job may take: from the workers' speed, and what waits before it."""

from datetime import UTC, datetime, timedelta

from services.jobs.eta import UNTAKEN_SECONDS
from services.jobs.queries import JobQueries
from services.jobs.store import JobStore
from services.jobs.tables import JobItem, item_id
from tests.support.jobs import FACTS, claim_item, finish_after, finish_job, insert_job


def test_eta_counts_the_items_before_a_job_and_its_own(store: JobStore, queries: JobQueries) -> None:
    finish_after(store, 2)
    own = insert_job(store, 3)
    assert store.mark_queued(item_id(own, 1))
    others = insert_job(store, 5, caller="bob")
    assert store.mark_queued(item_id(others, 1))
    job_id = insert_job(store, 2)
    # Three of its caller's older items, one of another caller's in flight, two of its own.
    assert queries.job(job_id, None).eta_seconds == (3 + 1 + 2) * 2


def test_first_job_has_no_eta_until_an_image_was_finished(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, 2)
    assert store.mark_queued(item_id(job_id, 1))
    assert queries.job(job_id, None).eta_seconds is None
    assert store.finish(claim_item(store, job_id), "results/1.png", FACTS)
    assert JobQueries(store.database).job(job_id, None).eta_seconds is not None


def test_job_that_no_worker_takes_has_no_eta(store: JobStore, queries: JobQueries) -> None:
    finish_after(store, 2)
    job_id = insert_job(store, 2)
    assert store.mark_queued(item_id(job_id, 1))
    assert queries.job(job_id, None).eta_seconds == 4
    with store.database.session() as session:
        item = session.get_one(JobItem, item_id(job_id, 1))
        item.queued_at = datetime.now(UTC) - timedelta(seconds=UNTAKEN_SECONDS + 1)
    assert JobQueries(store.database).job(job_id, None).eta_seconds is None
    claim_item(store, job_id)
    assert JobQueries(store.database).job(job_id, None).eta_seconds == 4


def test_an_ended_job_has_no_eta(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store)
    finish_job(store, job_id)
    assert queries.job(job_id, None).eta_seconds is None
