"""A caller watches many jobs: all of them first, then what changes, and from where it has been."""

from services.jobs.queries import JobQueries
from services.jobs.store import JobStore
from services.jobs.tables import item_id
from services.jobs.watch import Change, Watch
from tests.support.jobs import FACTS, LEASE, claim_item, finish_job, insert_job

KEY = "0123456789ab"


def look(watch: Watch) -> list[Change]:
    return list(watch.changes())


def shown(changes: list[Change]) -> dict[str, list[tuple[int, str]]]:
    return {change.job_id: [(item.position, item.state) for item in change.items] for change in changes}


def test_first_look_is_the_whole_state_and_later_ones_the_changed_items(store: JobStore, queries: JobQueries) -> None:
    one, two = insert_job(store, 2), insert_job(store, 1)
    watch = Watch(queries, [two, one], None)
    assert shown(look(watch)) == {two: [(1, "queued")], one: [(1, "queued"), (2, "queued")]}
    assert look(watch) == []
    claim = claim_item(store, one, 2)
    assert shown(look(watch)) == {one: [(2, "started")]}
    assert store.renew(claim, LEASE, "refine", 50)
    assert shown(look(watch)) == {one: [(2, "started")]}
    assert store.finish(claim, "k", FACTS)
    assert shown(look(watch)) == {one: [(2, "finished")]}
    assert not watch.over


def test_watch_is_over_with_its_last_job_and_sees_one_that_is_restarted(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store)
    watch = Watch(queries, [job_id], None)
    look(watch)
    assert store.cancel(job_id)
    (change,) = look(watch)
    assert change.snapshot
    assert change.snapshot.job.state == "cancelled"
    assert watch.over
    assert look(watch) == []
    assert store.retry_item(queries.item(job_id, item_id(job_id, 1), None)[1])
    assert shown(look(watch)) == {job_id: [(1, "queued")]}
    assert not watch.over


def test_deletion_in_an_ended_job_is_a_change(store: JobStore, queries: JobQueries) -> None:
    ended, running = insert_job(store, 2), insert_job(store)
    assert store.cancel(ended)
    watch = Watch(queries, [ended, running], None)
    look(watch)
    assert store.delete_item(item_id(ended, 2))
    assert shown(look(watch)) == {ended: [(2, "deleted")]}
    assert look(watch) == []


def test_job_that_the_caller_may_not_see_is_unknown_once(store: JobStore, queries: JobQueries) -> None:
    hidden, own = insert_job(store, owner=KEY), insert_job(store)
    watch = Watch(queries, [hidden, own, "no id"], None)
    assert [(change.job_id, change.snapshot is None) for change in look(watch)] == [
        (hidden, True),
        (own, False),
        ("no id", True),
    ]
    assert look(watch) == []
    assert [change.snapshot is None for change in look(Watch(queries, [hidden], KEY))] == [False]
    store.delete(own)
    assert [(change.job_id, change.snapshot) for change in look(watch)] == [(own, None)]
    assert watch.over


def test_another_watch_resumes_where_this_one_was(store: JobStore, queries: JobQueries) -> None:
    done, running = insert_job(store), insert_job(store, 2)
    finish_job(store, done)
    first, second = look(Watch(queries, [done, running], None))
    resumed = Watch(queries, [done, running], None)
    resumed.resume(first.position)
    # The connection was lost before the second event.
    assert shown(look(resumed)) == {running: [(1, "queued"), (2, "queued")]}
    resumed = Watch(queries, [done, running], None)
    resumed.resume(second.position)
    assert look(resumed) == []
    claim_item(store, running, 2)
    assert shown(look(resumed)) == {running: [(2, "started")]}


def test_position_of_other_jobs_counts_for_nothing(store: JobStore, queries: JobQueries) -> None:
    job_id = insert_job(store)
    for position in ("", "x", "0" * 16):
        watch = Watch(queries, [job_id], None)
        watch.resume(position)
        assert len(look(watch)) == 1
