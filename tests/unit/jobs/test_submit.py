"""A submission becomes a job with files, records and messages, or leaves nothing."""

from pathlib import Path
from typing import Any

import pytest

from services.archives.errors import BadEntry
from services.errors import Busy, DatabaseUnavailable
from services.jobs.dispatch import CALLER_SHARE, Dispatcher
from services.jobs.errors import IdempotencyKeyReused, QueueUnavailable
from services.jobs.pending import PendingWork
from services.jobs.queries import JobQueries
from services.jobs.retry import RetryPolicy
from services.jobs.store import JobStore
from services.jobs.submit import File, JobSubmitter, Submission
from services.jobs.tables import BATCH, SINGLE, item_id
from services.storage.errors import StorageUnavailable
from services.storage.local import LocalFolder
from tests.support.jobs import FakeQueue, recovery_of, states

PER_JOB = 3


@pytest.fixture
def storage(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "objects", "secret")


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def submitter(store: JobStore, queries: JobQueries, storage: LocalFolder, queue: FakeQueue) -> JobSubmitter:
    dispatcher = Dispatcher(store, queue, PER_JOB)  # type: ignore[arg-type]
    return JobSubmitter(store, queries, storage, dispatcher, max_waiting=20)


def batch(count: int, caller: str = "ann", **more: Any) -> Submission:
    files = [File(str(n), b"%d" % n) for n in range(count)]
    return Submission(BATCH if count > 1 else SINGLE, files, {}, caller, **more)


def stored(storage: LocalFolder) -> list[str]:
    return [found.key for found in storage.list("originals/")]


def test_a_new_job_is_sent_up_to_the_limits_of_job_and_caller(submitter: JobSubmitter, queue: FakeQueue) -> None:
    first, second, third = (submitter.submit(batch(5)).id for _ in range(3))
    assert queue.sent == [item_id(job_id, n) for job_id in (first, second) for n in range(1, PER_JOB + 1)]
    assert len(queue.sent) == CALLER_SHARE * PER_JOB
    bobs = submitter.submit(batch(1, "bob")).id
    assert queue.sent[-1] == item_id(bobs, 1)
    with pytest.raises(Busy, match="15 of your images"):
        submitter.submit(batch(6))
    assert item_id(third, 1) not in queue.sent


def test_refused_images_are_not_sent_and_a_job_of_them_alone_fails(
    submitter: JobSubmitter,
    queue: FakeQueue,
    queries: JobQueries,
    storage: LocalFolder,
) -> None:
    bad = File("bad", b"", BadEntry("why"))
    some = submitter.submit(Submission(BATCH, [bad, File("good", b"1")], {}, "ann")).id
    none = submitter.submit(Submission(BATCH, [bad, bad], {}, "ann")).id
    assert queue.sent == [item_id(some, 2)]
    assert states(queries, some) == ("queued", ["failed", "queued"])
    assert states(queries, none) == ("failed", ["failed", "failed"])
    assert stored(storage) == [f"originals/{some}/2"]


def test_a_job_that_can_not_be_sent_leaves_nothing(
    submitter: JobSubmitter,
    queue: FakeQueue,
    store: JobStore,
    storage: LocalFolder,
) -> None:
    queue.takes = 0
    with pytest.raises(QueueUnavailable):
        submitter.submit(batch(2, idempotency_key="k"))
    assert stored(storage) == []
    assert PendingWork(store.database).waiting_callers() == []
    queue.takes = 1000
    assert submitter.submit(batch(2, idempotency_key="k"))  # the key is free again


def test_a_partly_sent_batch_stays_and_recovery_sends_the_rest(
    submitter: JobSubmitter,
    queue: FakeQueue,
    store: JobStore,
    storage: LocalFolder,
) -> None:
    queue.takes = 1
    job_id = submitter.submit(batch(3)).id
    assert queue.sent == [item_id(job_id, 1)]
    assert len(stored(storage)) == 3
    queue.takes = 1000
    recovery_of(store, queue, RetryPolicy(1, [0])).run()
    assert queue.sent == [item_id(job_id, n) for n in (1, 2, 3)]


def test_a_job_whose_storage_fails_leaves_nothing(
    submitter: JobSubmitter, queue: FakeQueue, storage: LocalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(key: str, *rest: Any) -> None:
        if key.endswith("/2"):
            raise StorageUnavailable("full")
        LocalFolder.put(storage, key, *rest)

    monkeypatch.setattr(storage, "put", put)
    with pytest.raises(StorageUnavailable):
        submitter.submit(batch(3))
    assert (stored(storage), queue.sent) == ([], [])


def test_files_stay_where_nobody_knows_whether_the_job_was_recorded(
    submitter: JobSubmitter, store: JobStore, storage: LocalFolder, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may be lost after the commit and before its answer: the job runs then, and a repetition finds it."""
    add = store.add

    def lose(*records: Any) -> bool:
        add(*records)
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(store, "add", lose)
    with pytest.raises(DatabaseUnavailable):
        submitter.submit(batch(2, idempotency_key="k"))
    monkeypatch.undo()
    found = submitter.submit(batch(2, idempotency_key="k"))
    assert stored(storage) == [f"originals/{found.id}/{n}" for n in (1, 2)]
    recovery_of(store, queue, RetryPolicy(1, [0]), lost_seconds=0).run()
    assert queue.sent == [item_id(found.id, n) for n in (1, 2)]


def test_an_idempotency_key_returns_the_same_job_of_its_caller(submitter: JobSubmitter, storage: LocalFolder) -> None:
    made = submitter.submit(batch(1, idempotency_key="k")).id
    assert submitter.submit(batch(1, idempotency_key="k")).id == made
    assert submitter.submit(batch(1, "bob", idempotency_key="k")).id != made
    for other in (batch(2, idempotency_key="k"), batch(1, idempotency_key="k", callback_url="https://example.org")):
        with pytest.raises(IdempotencyKeyReused):
            submitter.submit(other)
    assert len(stored(storage)) == 2


@pytest.mark.parametrize(
    ("owner", "details"), [(None, ""), ("key-1", "it was first sent with other images or options")]
)
def test_reused_idempotency_key_names_no_job_and_gives_anonymous_callers_no_detail(
    submitter: JobSubmitter, owner: str | None, details: str
) -> None:
    submitter.submit(batch(1, idempotency_key="k", owner=owner))
    with pytest.raises(IdempotencyKeyReused) as refused:
        submitter.submit(batch(2, idempotency_key="k", owner=owner))
    assert refused.value.details == details
