"""What callers learn of jobs: who may see one, its progress, whether it can be retried, how long it takes, pages."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from services.errors import BadOption
from services.jobs.errors import ItemNotFound, JobNotFound
from services.jobs.queries import JobQueries, JobSnapshot, Lister
from services.jobs.store import JobStore
from services.jobs.tables import FAILED, FINISHED, QUEUED, STARTED, JobItem, item_id
from services.storage.errors import ResultExpired
from tests.support.jobs import claim_item, finish_job, insert_job, new_records

KEY = "0123456789ab"


@pytest.fixture
def queries(store: JobStore) -> JobQueries:
    return JobQueries(store.database)


def snapshot(*states: str) -> JobSnapshot:
    """A job whose items are in these states, tried once and half done."""
    job, items = new_records(len(states))
    for item, state in zip(items, states, strict=True):
        item.state, item.progress, item.attempts = state, 50, 1
    return JobSnapshot(job, items, None)


def test_a_keys_job_is_hidden_from_other_callers(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, owner=KEY)
    assert queries.job(job_id, KEY).job.id == job_id
    assert queries.state(job_id, KEY) == QUEUED
    for other in (None, "another key"):
        with pytest.raises(JobNotFound):
            queries.job(job_id, other)
        with pytest.raises(JobNotFound):
            queries.state(job_id, other)


def test_progress_is_the_mean_of_the_items_and_counts_ended_ones_as_done() -> None:
    assert snapshot(STARTED).progress == 50
    assert snapshot(FINISHED, FAILED, STARTED, STARTED).progress == 75


@pytest.mark.parametrize(
    ("state", "expires_in", "attempts", "code", "retryable"),
    [
        (FAILED, 60, 1, "worker_lost", True),
        (FINISHED, 60, 1, "internal_error", True),
        (FINISHED, 60, 1, "corrupt_image", False),
        (STARTED, 60, 1, "worker_lost", False),
        (FAILED, -60, 1, "worker_lost", False),
        (FAILED, 60, 0, "busy", False),
    ],
)
def test_failed_item_is_retryable_if_it_may_succeed_and_its_image_is_kept(
    state: str, expires_in: float, attempts: int, code: str, retryable: bool
) -> None:
    found = snapshot(FAILED, FINISHED)
    found.job.state, found.items[0].attempts, found.items[0].error_code = state, attempts, code
    found.job.expires_at = datetime.now(UTC) + timedelta(seconds=expires_in)
    assert found.retryable_items == (found.items[:1] if retryable else [])
    assert found.expired is (expires_in < 0)


def test_an_expired_job_is_refused(store: JobStore, queries: JobQueries) -> None:
    expiring = JobStore(store.database, result_seconds=-1)
    job_id = insert_job(expiring)
    finish_job(expiring, job_id)
    assert queries.job(job_id, None).job.state == FINISHED
    with pytest.raises(ResultExpired, match="kept until"):
        queries.unexpired(job_id, None)


def test_load_counts_items_that_have_not_ended_and_those_in_flight(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, 3)
    assert store.mark_queued(item_id(job_id, 1))
    claim_item(store, job_id, 2)
    finish_job(store, insert_job(store))
    assert queries.load_of("ann") == (3, 2)
    assert queries.load_of("bob") == (0, 0)


def test_pages_follow_each_other_newest_first(store: JobStore, queries: JobQueries) -> None:
    jobs = [insert_job(store, owner=KEY) for _ in range(3)]
    insert_job(store, owner="another key")
    first, cursor = queries.page(Lister(KEY), 2)
    second, end = queries.page(Lister(KEY), 2, cursor)
    assert [found.job.id for found in [*first, *second]] == jobs[::-1]
    assert (bool(cursor), end) == (True, "")


def test_page_of_a_visitor_has_only_the_jobs_of_its_browser(store: JobStore, queries: JobQueries) -> None:
    own, _, _ = (insert_job(store, visitor=visitor) for visitor in ("a" * 32, "b" * 32, None))
    insert_job(store, owner=KEY)
    assert [found.job.id for found in queries.page(Lister(visitor="a" * 32), 10)[0]] == [own]
    assert queries.page(Lister(visitor=KEY), 10)[0] == []


def test_a_page_of_failed_jobs_has_no_other(store: JobStore, queries: JobQueries) -> None:
    failed, finished = insert_job(store, owner=KEY), insert_job(store, owner=KEY)
    assert store.fail(claim_item(store, failed), "corrupt_image", "")
    assert store.close(failed)
    finish_job(store, finished)
    assert [found.job.id for found in queries.page(Lister(KEY), 10, failed=True)[0]] == [failed]


def test_page_of_everybody_has_the_failed_jobs_of_all_callers(store: JobStore, queries: JobQueries) -> None:
    made = [insert_job(store, owner=KEY), insert_job(store, visitor="a" * 32), insert_job(store)]
    for job_id in made:
        assert store.fail(claim_item(store, job_id), "corrupt_image", "")
        assert store.close(job_id)
    finish_job(store, insert_job(store, owner=KEY))
    first, cursor = queries.page(Lister(everybody=True), 2, failed=True)
    second, _ = queries.page(Lister(everybody=True), 2, cursor, failed=True)
    assert [found.job.id for found in [*first, *second]] == made[::-1]


def cursor_of(moment: str, job_id: str) -> str:
    return base64.urlsafe_b64encode(f"{moment} {job_id}".encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "é", "////", "MjAyNg", "MjAyNi0wMS0wMSB4"),
        cursor_of("9999-12-31T23:59:59-23:59", "a" * 32),
        cursor_of("0001-01-01T00:00:00+23:59", "a" * 32),
        cursor_of("2026-01-01T00:00:00+00:00", "\0"),
    ],
)
def test_an_invalid_cursor_is_refused(queries: JobQueries, cursor: str) -> None:
    with pytest.raises(BadOption, match="cursor"):
        queries.page(Lister(KEY), 2, cursor)


def test_an_id_that_no_database_takes_is_unknown(store: JobStore, queries: JobQueries) -> None:
    """PostgreSQL refuses texts with a NUL; that must not count as a lost database either."""
    job_id = insert_job(store)
    with pytest.raises(ItemNotFound):
        queries.item(job_id, f"{job_id}-1\0", None)
    assert queries.items([f"{job_id}-1\0", f"{job_id}-1"], None).keys() == {f"{job_id}-1"}
    assert queries.states(["\0", job_id], None) == {job_id: (QUEUED, 0)}
    assert queries.job(job_id, None).job.id == job_id


def test_job_that_is_deleted_while_it_is_read_is_not_found(store: JobStore, queries: JobQueries) -> None:
    """On PostgreSQL each query sees what was committed before it: the job, and then none of its items."""
    job_id, other = insert_job(store, owner=KEY), insert_job(store, owner=KEY)
    with store.database.session() as session:
        session.execute(delete(JobItem).where(JobItem.job_id == job_id))
    with pytest.raises(JobNotFound):
        queries.job(job_id, KEY)
    assert queries.jobs([job_id, other], KEY).keys() == {other}
    assert [found.job.id for found in queries.page(Lister(KEY), 10)[0]] == [other]
