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
from services.jobs.queries import JobQueries, Lister
from services.jobs.retry import RetryPolicy
from services.jobs.store import Claim, JobStore
from services.jobs.tables import Job, JobItem, item_id, new_job_id
from services.persistence.database import Base, Database
from services.storage.errors import ResultExpired
from tests.support.jobs import (
    FACTS,
    LEASE,
    FakeQueue,
    claim_item,
    finish_after,
    insert_job,
    recovery_of,
    simultaneously,
    states,
)

AT_ONCE = 8


def test_one_of_many_deliveries_claims_the_item(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store)
    item = item_id(job_id, 1)
    claims = simultaneously(*[lambda n=n: store.claim(item, f"worker {n}", LEASE) for n in range(AT_ONCE)])
    (won,) = [claim for claim in claims if claim]
    assert won.item.attempts == 1
    assert states(queries, job_id) == ("started", ["started"])
    assert store.finish(won, "key", FACTS)
    assert store.close(job_id)
    assert store.claim(item, "late", LEASE) is None
    assert not store.finish(won, "other", FACTS)
    assert states(queries, job_id) == ("finished", ["finished"])
    assert queries.job(job_id, None).items[0].result_key == "key"


def test_a_concurrent_cancel_and_finish_leave_one_end(store: JobStore, queries: JobQueries) -> None:
    for _ in range(10):
        job_id = insert_job(store)
        claim = claim_item(store, job_id)
        cancelled, finished = simultaneously(
            lambda j=job_id: store.cancel(j),  # type: ignore[misc]
            lambda c=claim: store.finish(c, "k", FACTS),  # type: ignore[misc]
        )
        job, (item,) = states(queries, job_id)
        assert cancelled  # the job was not closed yet
        assert (job, item) == ("cancelled", "finished" if finished else "cancelled")
        assert not store.cancel(job_id)
        assert not store.close(job_id)
        assert not store.finish(claim, "k", FACTS)


def test_a_cancelled_job_refuses_every_other_transition(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, 3)
    claim = claim_item(store, job_id, 1)
    assert store.finish(claim_item(store, job_id, 2), "k", FACTS)
    assert store.cancel(job_id)
    assert not store.renew(claim, LEASE, "refine", 50)
    assert not store.requeue(claim, "busy", "", 0)
    assert not store.fail(claim, "busy", "")
    assert store.claim(item_id(job_id, 3), "other", LEASE) is None
    assert not store.retry(job_id)
    assert states(queries, job_id) == ("cancelled", ["cancelled", "finished", "cancelled"])


def test_an_expired_lease_changes_nothing_after_another_claim(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store)
    late = claim_item(store, job_id, token="late", lease=-1)
    (seen,) = PendingWork(store.database).expired_claims()
    assert store.requeue(seen, "worker_lost", "", 0, if_late=True)
    new = claim_item(store, job_id, token="new")
    assert not store.renew(late, LEASE, None, 0)
    assert not store.finish(late, "late", FACTS)
    assert not store.fail(late, "busy", "")
    assert store.finish(new, "new", FACTS)
    assert queries.job(job_id, None).items[0].result_key == "new"
    assert new.item.attempts == 2


def test_a_worker_that_renews_in_time_keeps_its_item(store: JobStore) -> None:
    job_id = insert_job(store)
    claim = claim_item(store, job_id, lease=-1)
    (seen,) = PendingWork(store.database).expired_claims()
    assert store.renew(claim, LEASE, "segment", 20)
    assert not store.requeue(seen, "worker_lost", "", 0, if_late=True)
    assert not store.fail(seen, "worker_lost", "", if_late=True)
    assert store.finish(claim, "k", FACTS)


def test_items_that_end_at_the_same_time_close_the_job_once(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, AT_ONCE)
    claims = [claim_item(store, job_id, n) for n in range(1, AT_ONCE + 1)]

    def end(claim: Claim) -> bool:
        done = store.fail(claim, "corrupt_image", "") if claim.item.position == 1 else store.finish(claim, "k", FACTS)
        assert done
        return store.close(job_id)

    assert sum(simultaneously(*[lambda c=claim: end(c) for claim in claims])) == 1
    job, items = states(queries, job_id)
    assert (job, items) == ("finished", ["failed", *["finished"] * (AT_ONCE - 1)])


def test_a_job_with_only_failed_items_fails_and_is_retried_once(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, 2)
    for n in (1, 2):
        assert store.fail(claim_item(store, job_id, n), "engine_unavailable", "why")
    assert store.close(job_id)
    assert states(queries, job_id) == ("failed", ["failed", "failed"])
    assert sum(simultaneously(*[lambda: store.retry(job_id)] * AT_ONCE)) == 1
    found = queries.job(job_id, None)
    assert (found.job.state, found.job.finished_at, found.job.expires_at) == ("queued", None, None)
    assert [(i.state, i.attempts, i.error_code) for i in found.items] == [("queued", 0, None)] * 2


def test_an_idempotency_key_makes_one_job_per_caller(store: JobStore) -> None:
    def add(caller: str) -> bool:
        try:
            insert_job(store, caller=caller, idempotency_key="k")
        except AssertionError:
            return False
        return True

    assert sum(simultaneously(*[lambda: add("ann")] * AT_ONCE)) == 1
    assert add("bob")
    insert_job(store)
    insert_job(store)  # without a key there is no limit


def test_a_job_is_visible_only_to_its_owner(store: JobStore, queries: JobQueries) -> None:
    anns, anybodys = insert_job(store, owner="ann"), insert_job(store)
    assert queries.job(anns, "ann").job.id == anns
    assert queries.job(anybodys, "bob").job.id == anybodys
    assert queries.state(anns, "ann") == queries.state(anybodys, "bob") == "queued"
    for other in (None, "bob"):
        with pytest.raises(JobNotFound):
            queries.job(anns, other)
    with pytest.raises(JobNotFound):
        queries.job(new_job_id(), "ann")


def test_jobs_are_listed_newest_first_in_pages(store: JobStore, queries: JobQueries) -> None:
    made = [insert_job(store, owner="ann") for _ in range(5)]
    insert_job(store, owner="bob")
    assert store.fail(claim_item(store, made[3]), "busy", "")
    assert store.close(made[3])
    seen, cursor = [], ""
    for _ in range(3):
        page, cursor = queries.page(Lister("ann"), 2, cursor)
        seen += [report.job.id for report in page]
    assert seen == made[::-1]
    assert cursor == ""
    assert [report.job.id for report in queries.page(Lister("ann"), 10, failed=True)[0]] == [made[3]]
    for wrong in ("x", "é", "////", "MjAyNg"):
        with pytest.raises(BadOption, match="cursor"):
            queries.page(Lister("ann"), 2, wrong)


def test_an_expired_job_is_refused(database: Database, store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store)
    store.finish(claim_item(store, job_id), "k", FACTS)
    store.close(job_id)
    assert queries.unexpired(job_id, None)
    with database.session() as session:
        session.execute(update(Job).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(ResultExpired):
        queries.unexpired(job_id, None)


def test_items_in_flight_are_limited_per_job_and_per_caller(store: JobStore) -> None:
    queue = FakeQueue()
    dispatcher = Dispatcher(store, queue, per_job=3)  # type: ignore[arg-type]
    big, small, bobs = insert_job(store, 10), insert_job(store, 2), insert_job(store, 2, caller="bob")
    third = insert_job(store, 5)
    assert dispatcher.send_all() == 3 * CALLER_SHARE + 2
    assert sorted(queue.sent) == sorted(
        [item_id(big, n) for n in (1, 2, 3)] + [item_id(small, n) for n in (1, 2)] + [item_id(third, 1)]
        + [item_id(bobs, n) for n in (1, 2)]
    )  # fmt: skip
    assert dispatcher.send_all() == 0
    assert store.finish(claim_item(store, big), "k", FACTS)
    assert dispatcher.send_next("ann") == 1
    assert queue.sent[-1] == item_id(big, 4)


def test_a_large_batch_delays_another_caller_by_its_share_only(store: JobStore, queries: JobQueries) -> None:
    queue, per_job = FakeQueue(), 8
    dispatcher = Dispatcher(store, queue, per_job)  # type: ignore[arg-type]
    finish_after(store, 2)
    batch = insert_job(store, 50)
    assert dispatcher.send_next("ann") == per_job
    single = insert_job(store, caller="bob")
    assert dispatcher.send_next("bob") == 1
    assert queries.job(single, None).eta_seconds == (per_job + 1) * 2
    done: list[str] = []
    while queue.sent:  # one worker child
        claim = store.claim(queue.sent.pop(0), "me", LEASE)
        assert claim
        assert store.finish(claim, "k", FACTS)
        done.append(claim.job.id)
        dispatcher.send_next(claim.job.caller)
    assert done.index(single) == per_job
    assert done.count(batch) == 50


def test_only_a_job_without_items_in_flight_is_withdrawn(store: JobStore, queries: JobQueries) -> None:
    lost, sent, begun = (insert_job(store, 2) for _ in range(3))
    assert store.mark_queued(item_id(lost, 1))
    assert store.mark_unsent(item_id(lost, 1))
    assert store.mark_queued(item_id(sent, 1))
    claim_item(store, begun)
    assert [store.withdraw(job_id) for job_id in (lost, sent, begun)] == [True, False, False]
    with pytest.raises(JobNotFound):
        queries.job(lost, None)
    assert store.claim(item_id(lost, 2), "me", LEASE) is None
    assert states(queries, sent) == ("queued", ["queued", "queued"])


def test_items_that_would_fail_again_are_not_retried(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, 4)
    with store.database.session() as session:  # as a submission writes it down
        refused = update(JobItem).where(JobItem.id == item_id(job_id, 1))
        session.execute(refused.values(state="failed", error_code="bad_entry"))
    assert store.fail(claim_item(store, job_id, 2), "corrupt_image", "")
    for position in (3, 4):
        assert store.finish(claim_item(store, job_id, position), "k", FACTS)
    assert store.close(job_id)
    assert not queries.job(job_id, None).retryable_items
    assert not store.retry(job_id)
    with store.database.session() as session:
        lost = update(JobItem).where(JobItem.id == item_id(job_id, 3))
        session.execute(lost.values(state="failed", error_code="worker_lost"))
    assert [item.position for item in queries.job(job_id, None).retryable_items] == [3]
    assert store.retry(job_id)
    assert states(queries, job_id) == ("queued", ["failed", "failed", "queued", "finished"])


def test_one_item_is_cancelled_and_the_last_one_closes_the_job(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, 2)
    claim = claim_item(store, job_id, 1)
    assert store.cancel_item(claim.item.id)
    assert not store.cancel_item(claim.item.id)
    assert not store.finish(claim, "k", FACTS)
    assert not store.close(job_id)
    assert states(queries, job_id) == ("started", ["cancelled", "queued"])
    assert store.cancel_item(item_id(job_id, 2))
    assert store.close(job_id)
    assert states(queries, job_id) == ("cancelled", ["cancelled", "cancelled"])


def test_a_deleted_item_refuses_every_other_transition(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, 3)
    claims = [claim_item(store, job_id, position) for position in (1, 2)]
    assert store.finish(claims[0], "k", FACTS)
    finished = queries.item(job_id, claims[0].item.id, None)[1]
    for position in (1, 2, 3):
        assert store.delete_item(item_id(job_id, position))
        assert not store.delete_item(item_id(job_id, position))
    assert not store.finish(claims[1], "k", FACTS)
    assert PendingWork(store.database).is_unwanted(claims[1].item.id)
    assert not store.replace_result(finished, "k2", FACTS)
    assert store.claim(item_id(job_id, 3), "token", 30) is None
    assert not store.cancel_item(item_id(job_id, 3))
    assert store.close(job_id)
    assert not store.retry(job_id)
    assert not store.retry_item(finished)
    assert states(queries, job_id) == ("cancelled", ["deleted"] * 3)
    (first, *_) = queries.job(job_id, None).items
    assert (first.result, first.result_key, first.original_bytes) == (None, None, 0)


def test_job_with_a_failed_and_a_cancelled_item_has_failed(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, 2)
    assert store.fail(claim_item(store, job_id, 1), "engine_unavailable", "")
    assert store.cancel_item(item_id(job_id, 2))
    assert store.close(job_id)
    assert states(queries, job_id) == ("failed", ["failed", "cancelled"])


def test_a_cancelled_item_is_restarted_once_and_its_job_with_it(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, 2)
    finished = claim_item(store, job_id, 2)
    assert store.finish(finished, "k", FACTS)
    assert store.cancel(job_id)
    item = queries.item(job_id, item_id(job_id, 1), None)[1]
    assert not store.retry_item(finished.item)
    assert sum(simultaneously(*[lambda: store.retry_item(item)] * AT_ONCE)) == 1
    assert states(queries, job_id) == ("queued", ["queued", "finished"])
    assert queries.job(job_id, None).job.expires_at is None
    assert store.finish(claim_item(store, job_id, 1), "k", FACTS)
    assert store.close(job_id)
    assert states(queries, job_id) == ("finished", ["finished", "finished"])


def test_only_the_failed_item_of_a_running_job_is_restarted(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store, 3)
    for position, code in ((1, "engine_unavailable"), (2, "corrupt_image")):
        assert store.fail(claim_item(store, job_id, position), code, "")
    first, second, third = queries.job(job_id, None).items
    assert [store.retry_item(item) for item in (first, second, third)] == [True, False, False]
    assert states(queries, job_id) == ("started", ["queued", "failed", "queued"])


def test_unsent_items_wait_for_the_queue(store: JobStore) -> None:
    queue = FakeQueue()
    dispatcher = Dispatcher(store, queue, per_job=3)  # type: ignore[arg-type]
    insert_job(store, 2)
    queue.lost = True
    with pytest.raises(QueueUnavailable):
        dispatcher.send_all()
    queue.lost = False
    assert dispatcher.send_all() == 2


def test_recovery_resends_only_items_with_a_lost_message(store: JobStore) -> None:
    queue = FakeQueue()
    job_id = insert_job(store, 3)
    sweep = recovery_of(store, queue, RetryPolicy(1, [0]), lost_seconds=0)
    sweep.run()
    items = [item_id(job_id, n) for n in (1, 2, 3)]
    assert queue.sent == items
    sweep.run()
    assert queue.sent == items
    queue.sent = items[1:2]
    claim_item(store, job_id, 1)
    sweep.run()
    assert queue.sent == [items[1], items[2]]


def test_recovery_refills_an_emptied_queue_after_one_lease(store: JobStore) -> None:
    queue = FakeQueue()
    job_id = insert_job(store, 40)
    sweep = recovery_of(store, queue, RetryPolicy(1, [0]), lost_seconds=LEASE)
    sweep.run()
    assert len(queue.sent) == 40
    queue.sent.clear()
    for age, sent in ((LEASE - 5, 0), (LEASE + 1, 40)):
        with store.database.session() as session:
            session.execute(update(JobItem).values(queued_at=datetime.now(UTC) - timedelta(seconds=age)))
        sweep.run()
        assert len(queue.sent) == sent
    assert set(queue.sent) == {item_id(job_id, n) for n in range(1, 41)}


def test_items_in_a_long_queue_hide_no_lost_message(store: JobStore) -> None:
    waiting, lost = insert_job(store, 3), insert_job(store)
    for job_id, n in ((lost, 1), *((waiting, n) for n in (1, 2, 3))):
        assert store.mark_queued(item_id(job_id, n))
    assert [found for found, _ in PendingWork(store.database).queued_before(datetime.now(UTC), limit=1)] == [
        item_id(lost, 1)
    ]


def test_an_item_that_kills_its_workers_takes_its_attempts(store: JobStore, queries: JobQueries) -> None:
    queue = FakeQueue()
    job_id = insert_job(store)
    sweep = recovery_of(store, queue, RetryPolicy(2, [0]))
    for _attempt in range(3):
        sweep.run()
        claim_item(store, job_id, lease=-1)
    simultaneously(sweep.run, sweep.run)
    found = queries.job(job_id, None)
    assert (found.job.state, found.items[0].error_code, found.items[0].attempts) == ("failed", WorkerLost.code, 3)
    assert len(queue.sent) == 3


def test_recovery_closes_a_job_whose_worker_died(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store)
    assert store.finish(claim_item(store, job_id), "k", FACTS)
    recovery_of(store, FakeQueue(), RetryPolicy(1, [0])).run()
    assert states(queries, job_id)[0] == "finished"


def test_a_requeued_item_is_not_claimed_before_it_is_due(store: JobStore) -> None:
    job_id = insert_job(store)
    assert store.requeue(claim_item(store, job_id), "busy", "", 3600)
    assert store.claim(item_id(job_id, 1), "me", LEASE) is None
    assert PendingWork(store.database).waiting_callers() == []


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
