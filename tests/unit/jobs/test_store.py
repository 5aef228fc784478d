"""Transitions of jobs on SQLite and PostgreSQL: of concurrent changes one wins, and it is made once."""

from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, update

from services.errors import BadOption
from services.jobs.dispatch import CALLER_SHARE, Dispatcher
from services.jobs.errors import JobNotFound, QueueUnavailable, WorkerLost
from services.jobs.pending import PendingWork
from services.jobs.queries import FIRST_GUESS_SECONDS, JobQueries
from services.jobs.retry import RetryPolicy
from services.jobs.store import Claim, JobStore
from services.jobs.tables import Job, JobItem, item_id, new_job_id
from services.persistence.database import Base, Database
from services.storage.errors import ResultExpired
from tests.support.jobs import FACTS, LEASE, FakeQueue, claim_item, insert_job, recovery_of, simultaneously, states

AT_ONCE = 8


def test_one_of_many_deliveries_claims_the_item(records: JobStore, reports: JobQueries) -> None:
    job_id = insert_job(records)
    item = item_id(job_id, 1)
    claims = simultaneously(*[lambda n=n: records.claim(item, f"worker {n}", LEASE) for n in range(AT_ONCE)])
    (won,) = [claim for claim in claims if claim]
    assert won.item.attempts == 1
    assert states(reports, job_id) == ("started", ["started"])
    assert records.finish(won, "key", FACTS)
    assert records.close(job_id)
    assert records.claim(item, "late", LEASE) is None
    assert not records.finish(won, "other", FACTS)
    assert states(reports, job_id) == ("finished", ["finished"])
    assert reports.job(job_id, None).items[0].result_key == "key"


def test_a_concurrent_cancel_and_finish_leave_one_end(records: JobStore, reports: JobQueries) -> None:
    for _ in range(10):
        job_id = insert_job(records)
        claim = claim_item(records, job_id)
        cancelled, finished = simultaneously(
            lambda j=job_id: records.cancel(j),  # type: ignore[misc]
            lambda c=claim: records.finish(c, "k", FACTS),  # type: ignore[misc]
        )
        job, (item,) = states(reports, job_id)
        assert cancelled  # the job was not closed yet
        assert (job, item) == ("cancelled", "finished" if finished else "cancelled")
        assert not records.cancel(job_id)
        assert not records.close(job_id)
        assert not records.finish(claim, "k", FACTS)


def test_a_cancelled_job_refuses_every_other_transition(records: JobStore, reports: JobQueries) -> None:
    job_id = insert_job(records, 3)
    claim = claim_item(records, job_id, 1)
    assert records.finish(claim_item(records, job_id, 2), "k", FACTS)
    assert records.cancel(job_id)
    assert not records.renew(claim, LEASE, "refine", 50)
    assert not records.requeue(claim, "busy", "", 0)
    assert not records.fail(claim, "busy", "")
    assert records.claim(item_id(job_id, 3), "other", LEASE) is None
    assert not records.retry(job_id)
    assert states(reports, job_id) == ("cancelled", ["cancelled", "finished", "cancelled"])


def test_an_expired_lease_changes_nothing_after_another_claim(records: JobStore, reports: JobQueries) -> None:
    job_id = insert_job(records)
    late = claim_item(records, job_id, token="late", lease=-1)
    (seen,) = PendingWork(records.database).expired_claims()
    assert records.requeue(seen, "worker_lost", "", 0, if_late=True)
    new = claim_item(records, job_id, token="new")
    assert not records.renew(late, LEASE, None, 0)
    assert not records.finish(late, "late", FACTS)
    assert not records.fail(late, "busy", "")
    assert records.finish(new, "new", FACTS)
    assert reports.job(job_id, None).items[0].result_key == "new"
    assert new.item.attempts == 2


def test_a_worker_that_renews_in_time_keeps_its_item(records: JobStore) -> None:
    job_id = insert_job(records)
    claim = claim_item(records, job_id, lease=-1)
    (seen,) = PendingWork(records.database).expired_claims()
    assert records.renew(claim, LEASE, "segment", 20)
    assert not records.requeue(seen, "worker_lost", "", 0, if_late=True)
    assert not records.fail(seen, "worker_lost", "", if_late=True)
    assert records.finish(claim, "k", FACTS)


def test_items_that_end_at_the_same_time_close_the_job_once(records: JobStore, reports: JobQueries) -> None:
    job_id = insert_job(records, AT_ONCE)
    claims = [claim_item(records, job_id, n) for n in range(1, AT_ONCE + 1)]

    def end(claim: Claim) -> bool:
        done = (
            records.fail(claim, "corrupt_image", "") if claim.item.position == 1 else records.finish(claim, "k", FACTS)
        )
        assert done
        return records.close(job_id)

    assert sum(simultaneously(*[lambda c=claim: end(c) for claim in claims])) == 1
    job, items = states(reports, job_id)
    assert (job, items) == ("finished", ["failed", *["finished"] * (AT_ONCE - 1)])


def test_a_job_with_only_failed_items_fails_and_is_retried_once(records: JobStore, reports: JobQueries) -> None:
    job_id = insert_job(records, 2)
    for n in (1, 2):
        assert records.fail(claim_item(records, job_id, n), "engine_unavailable", "why")
    assert records.close(job_id)
    assert states(reports, job_id) == ("failed", ["failed", "failed"])
    assert sum(simultaneously(*[lambda: records.retry(job_id)] * AT_ONCE)) == 1
    found = reports.job(job_id, None)
    assert (found.job.state, found.job.finished_at, found.job.expires_at) == ("queued", None, None)
    assert [(i.state, i.attempts, i.error_code) for i in found.items] == [("queued", 0, None)] * 2


def test_an_idempotency_key_makes_one_job_per_caller(records: JobStore) -> None:
    def add(caller: str) -> bool:
        try:
            insert_job(records, caller=caller, idempotency_key="k")
        except AssertionError:
            return False
        return True

    assert sum(simultaneously(*[lambda: add("ann")] * AT_ONCE)) == 1
    assert add("bob")
    insert_job(records)
    insert_job(records)  # without a key there is no limit


def test_a_job_is_visible_to_its_owner_alone(records: JobStore, reports: JobQueries) -> None:
    anns, anybodys = insert_job(records, owner="ann"), insert_job(records)
    assert reports.job(anns, "ann").job.id == anns
    assert reports.job(anybodys, "bob").job.id == anybodys
    assert reports.state(anns, "ann") == reports.state(anybodys, "bob") == "queued"
    for other in (None, "bob"):
        with pytest.raises(JobNotFound):
            reports.job(anns, other)
    with pytest.raises(JobNotFound):
        reports.job(new_job_id(), "ann")


def test_jobs_are_listed_newest_first_in_pages(records: JobStore, reports: JobQueries) -> None:
    made = [insert_job(records, owner="ann") for _ in range(5)]
    insert_job(records, owner="bob")
    assert records.fail(claim_item(records, made[3]), "busy", "")
    assert records.close(made[3])
    seen, cursor = [], ""
    for _ in range(3):
        page, cursor = reports.page("ann", 2, cursor)
        seen += [report.job.id for report in page]
    assert seen == made[::-1]
    assert cursor == ""
    assert [report.job.id for report in reports.page("ann", 10, failed=True)[0]] == [made[3]]
    for wrong in ("x", "é", "////", "MjAyNg"):
        with pytest.raises(BadOption, match="cursor"):
            reports.page("ann", 2, wrong)


def test_an_expired_job_is_refused(database: Database, records: JobStore, reports: JobQueries) -> None:
    job_id = insert_job(records)
    records.finish(claim_item(records, job_id), "k", FACTS)
    records.close(job_id)
    assert reports.unexpired(job_id, None)
    with database.session() as session:
        session.execute(update(Job).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(ResultExpired):
        reports.unexpired(job_id, None)


def test_items_in_flight_are_limited_per_job_and_per_caller(records: JobStore) -> None:
    queue = FakeQueue()
    dispatcher = Dispatcher(records, queue, per_job=3)  # type: ignore[arg-type]
    big, small, bobs = insert_job(records, 10), insert_job(records, 2), insert_job(records, 2, caller="bob")
    third = insert_job(records, 5)
    assert dispatcher.send_all() == 3 * CALLER_SHARE + 2
    assert sorted(queue.sent) == sorted(
        [item_id(big, n) for n in (1, 2, 3)] + [item_id(small, n) for n in (1, 2)] + [item_id(third, 1)]
        + [item_id(bobs, n) for n in (1, 2)]
    )  # fmt: skip
    assert dispatcher.send_all() == 0
    assert records.finish(claim_item(records, big), "k", FACTS)
    assert dispatcher.send_next("ann") == 1
    assert queue.sent[-1] == item_id(big, 4)


def test_a_large_batch_delays_another_caller_by_its_share_only(records: JobStore, reports: JobQueries) -> None:
    queue, per_job = FakeQueue(), 8
    dispatcher = Dispatcher(records, queue, per_job)  # type: ignore[arg-type]
    batch = insert_job(records, 50)
    assert dispatcher.send_next("ann") == per_job
    single = insert_job(records, caller="bob")
    assert dispatcher.send_next("bob") == 1
    assert reports.job(single, None).eta_seconds == (per_job + 1) * FIRST_GUESS_SECONDS
    done: list[str] = []
    while queue.sent:  # one worker child
        claim = records.claim(queue.sent.pop(0), "me", LEASE)
        assert claim
        assert records.finish(claim, "k", FACTS)
        done.append(claim.job.id)
        dispatcher.send_next(claim.job.caller)
    assert done.index(single) == per_job
    assert done.count(batch) == 50


def test_only_a_job_without_items_in_flight_is_withdrawn(records: JobStore, reports: JobQueries) -> None:
    lost, sent, begun = (insert_job(records, 2) for _ in range(3))
    assert records.mark_queued(item_id(lost, 1))
    assert records.mark_unsent(item_id(lost, 1))
    assert records.mark_queued(item_id(sent, 1))
    claim_item(records, begun)
    assert [records.withdraw(job_id) for job_id in (lost, sent, begun)] == [True, False, False]
    with pytest.raises(JobNotFound):
        reports.job(lost, None)
    assert records.claim(item_id(lost, 2), "me", LEASE) is None
    assert states(reports, sent) == ("queued", ["queued", "queued"])


def test_an_item_refused_at_submission_is_not_retried(records: JobStore, reports: JobQueries) -> None:
    job_id = insert_job(records, 3)
    with records.database.session() as session:  # as a submission writes it down
        refused = update(JobItem).where(JobItem.id == item_id(job_id, 1))
        session.execute(refused.values(state="failed", error_code="bad_entry"))
    assert records.finish(claim_item(records, job_id, 2), "k", FACTS)
    assert records.finish(claim_item(records, job_id, 3), "k", FACTS)
    assert records.close(job_id)
    assert not reports.job(job_id, None).retryable
    assert not records.retry(job_id)
    with records.database.session() as session:
        session.execute(update(JobItem).where(JobItem.id == item_id(job_id, 2)).values(state="failed"))
    assert reports.job(job_id, None).retryable
    assert records.retry(job_id)
    assert states(reports, job_id) == ("queued", ["failed", "queued", "finished"])


def test_unsent_items_wait_for_the_queue(records: JobStore) -> None:
    queue = FakeQueue()
    dispatcher = Dispatcher(records, queue, per_job=3)  # type: ignore[arg-type]
    insert_job(records, 2)
    queue.lost = True
    with pytest.raises(QueueUnavailable):
        dispatcher.send_all()
    queue.lost = False
    assert dispatcher.send_all() == 2


def test_recovery_resends_only_items_with_a_lost_message(records: JobStore) -> None:
    queue = FakeQueue()
    job_id = insert_job(records, 3)
    sweep = recovery_of(records, queue, RetryPolicy(1, [0]), lost_seconds=0)
    sweep.run()
    items = [item_id(job_id, n) for n in (1, 2, 3)]
    assert queue.sent == items
    sweep.run()
    assert queue.sent == items
    queue.sent = items[1:2]
    claim_item(records, job_id, 1)
    sweep.run()
    assert queue.sent == [items[1], items[2]]


def test_recovery_refills_an_emptied_queue_after_one_lease(records: JobStore) -> None:
    queue = FakeQueue()
    job_id = insert_job(records, 40)
    sweep = recovery_of(records, queue, RetryPolicy(1, [0]), lost_seconds=LEASE)
    sweep.run()
    assert len(queue.sent) == 40
    queue.sent.clear()
    for age, sent in ((LEASE - 5, 0), (LEASE + 1, 40)):
        with records.database.session() as session:
            session.execute(update(JobItem).values(queued_at=datetime.now(UTC) - timedelta(seconds=age)))
        sweep.run()
        assert len(queue.sent) == sent
    assert set(queue.sent) == {item_id(job_id, n) for n in range(1, 41)}


def test_items_in_a_long_queue_hide_no_lost_message(records: JobStore) -> None:
    waiting, lost = insert_job(records, 3), insert_job(records)
    for job_id, n in ((lost, 1), *((waiting, n) for n in (1, 2, 3))):
        assert records.mark_queued(item_id(job_id, n))
    assert [found for found, _ in PendingWork(records.database).queued_before(datetime.now(UTC), limit=1)] == [
        item_id(lost, 1)
    ]


def test_an_item_that_kills_its_workers_takes_its_attempts(records: JobStore, reports: JobQueries) -> None:
    queue = FakeQueue()
    job_id = insert_job(records)
    sweep = recovery_of(records, queue, RetryPolicy(2, [0]))
    for _attempt in range(3):
        sweep.run()
        claim_item(records, job_id, lease=-1)
    simultaneously(sweep.run, sweep.run)
    found = reports.job(job_id, None)
    assert (found.job.state, found.items[0].error_code, found.items[0].attempts) == ("failed", WorkerLost.code, 3)
    assert len(queue.sent) == 3


def test_recovery_closes_a_job_whose_worker_died(records: JobStore, reports: JobQueries) -> None:
    job_id = insert_job(records)
    assert records.finish(claim_item(records, job_id), "k", FACTS)
    recovery_of(records, FakeQueue(), RetryPolicy(1, [0])).run()
    assert states(reports, job_id)[0] == "finished"


def test_a_requeued_item_is_not_claimed_before_it_is_due(records: JobStore) -> None:
    job_id = insert_job(records)
    assert records.requeue(claim_item(records, job_id), "busy", "", 3600)
    assert records.claim(item_id(job_id, 1), "me", LEASE) is None
    assert PendingWork(records.database).waiting_callers() == []


def test_migrations_create_and_drop_the_tables(database: Database) -> None:
    database.upgrade()
    with database.session() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    database.downgrade("0001")
    with database.session() as session:
        names = inspect(session.connection()).get_table_names()
        assert "api_keys" in names
        assert not {"jobs", "job_items"} & set(names)
    database.upgrade()
