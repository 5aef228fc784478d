"""A job ends with its last image, on PostgreSQL, whose transactions run beside each other."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text, update

from services.jobs.queries import JobQueries
from services.jobs.store import JobStore
from services.jobs.tables import FINISHED, QUEUED, STARTED, Job, JobItem, item_id
from services.persistence.database import Database
from tests.support.jobs import FACTS, claim_item, insert_job, states
from tests.support.servers.postgres import Postgres
from tests.support.waiting import poll

BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.mark.slow
def test_job_is_not_closed_over_an_image_that_is_restarted_meanwhile(postgres: Postgres) -> None:
    database = Database(postgres.new_database())
    store = JobStore(database, result_seconds=3600)
    job_id = insert_job(store, 2)
    assert store.cancel_item(item_id(job_id, 2))
    assert store.finish(claim_item(store, job_id), "k", FACTS)

    def is_blocked() -> bool:
        with database.connection() as connection:
            return bool(connection.scalar(text(BLOCKED)))

    with ThreadPoolExecutor(1) as pool:
        with database.session() as session:
            # The job first, then the image, as `retry_item` does.
            session.execute(update(Job).where(Job.id == job_id).values(finished_at=None))
            closed = pool.submit(store.close, job_id)
            poll(is_blocked, what="the transaction that closes the job")
            session.execute(update(JobItem).where(JobItem.id == item_id(job_id, 2)).values(state=QUEUED))
        assert not closed.result(10)
    assert states(JobQueries(database), job_id) == (STARTED, [FINISHED, QUEUED])
    database.close()
