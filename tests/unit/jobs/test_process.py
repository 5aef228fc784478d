"""A worker processes one item: each way it can end, with real records and files, and a remover that needs no model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from services.containers.errors import CorruptImage
from services.errors import Busy
from services.imaging.extras import Extras
from services.imaging.pipeline import Result
from services.jobs import process as module
from services.jobs.dispatch import Dispatcher
from services.jobs.process import Terms, Worker
from services.jobs.queries import JobQueries
from services.jobs.queue import Queue
from services.jobs.results import result_facts
from services.jobs.retry import RetryPolicy
from services.jobs.store import JobStore
from services.jobs.tables import (
    CANCELLED,
    DELETED,
    FAILED,
    FINISHED,
    QUEUED,
    JobItem,
    item_id,
    original_key,
    result_key,
)
from services.removal import Remover
from services.storage.errors import StorageUnavailable
from services.storage.local import LocalFolder
from tests.support.jobs import LEASE, RESULT, FakeQueue, insert_job


class FakeRemover:
    """Returns `RESULT` for every image, or does what `work` does; notes what it was given."""

    def __init__(self, work: Callable[[], Result] = lambda: RESULT) -> None:
        self._work = work
        self.given: list[tuple[bytes, bytes | None]] = []

    def remove(self, data: bytes, _options: object, *, background: bytes | None, extras: Extras, **_: Any) -> Result:
        self.given.append((data, background))
        extras.mask, extras.preview = b"a mask", b"a preview"
        return self._work()


@pytest.fixture
def storage(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "objects", "secret")


def worker(store: JobStore, storage: LocalFolder, remover: FakeRemover, *, retries: int = 1) -> Worker:
    return Worker(
        store=store,
        dispatcher=Dispatcher(store, cast(Queue, FakeQueue()), 1),
        storage=storage,
        remover=cast(Remover, remover),
        terms=Terms(LEASE, 60, RetryPolicy(retries, [0])),
    )


def submitted(store: JobStore, storage: LocalFolder, **more: Any) -> str:
    job_id = insert_job(store, **more)
    storage.put(original_key(job_id, 1), b"a photo", "image/jpeg")
    return job_id


def item_of(store: JobStore, job_id: str) -> JobItem:
    return JobQueries(store.database).job(job_id, None).items[0]


def failing(error: Exception) -> FakeRemover:
    def fail() -> Result:
        raise error

    return FakeRemover(fail)


def test_an_item_is_finished_with_its_stored_result_and_its_facts(store: JobStore, storage: LocalFolder) -> None:
    job_id, remover = submitted(store, storage), FakeRemover()
    worker(store, storage, remover).run(item_id(job_id, 1))
    item = item_of(store, job_id)
    assert (item.state, item.result_key, item.progress) == (FINISHED, result_key(job_id, 1, "png"), 100)
    assert item.result == result_facts(RESULT)
    with storage.open(result_key(job_id, 1, "png")) as opened:
        assert b"".join(opened) == b"a picture"
    with storage.open(f"masks/{job_id}/1.png") as opened:
        assert b"".join(opened) == b"a mask"
    with storage.open(f"previews/{job_id}/1.webp") as opened:
        assert b"".join(opened) == b"a preview"
    assert remover.given == [(b"a photo", None)]
    assert JobQueries(store.database).state(job_id, None) == FINISHED


def test_line_of_an_item_says_how_it_went(store: JobStore, storage: LocalFolder) -> None:
    job_id, bad = submitted(store, storage), submitted(store, storage)
    with capture_logs() as logs:
        worker(store, storage, FakeRemover()).run(item_id(job_id, 1))
        worker(store, storage, failing(CorruptImage("cut off"))).run(item_id(bad, 1))
    done, failed = (line for line in logs if line["event"] == "item")
    assert (done["job"], done["task"], done["status"]) == (job_id, item_id(job_id, 1), "finished")
    assert (done["input_px"], done["output_px"]) == ("640x480", "64x48")
    assert done["compression_ratio"] == round(5678 / 9, 2)
    assert 0 < done["seconds"] < 10
    assert 10 < done["memory_mb"] < 10_000
    assert (failed["status"], failed["outcome"]) == ("failed", "corrupt_image")
    assert "output_px" not in failed


def test_the_background_of_a_job_is_read_from_storage(store: JobStore, storage: LocalFolder) -> None:
    storage.put("originals/background", b"a beach", "image/jpeg")
    job_id, remover = submitted(store, storage, background_key="originals/background"), FakeRemover()
    worker(store, storage, remover).run(item_id(job_id, 1))
    assert remover.given == [(b"a photo", b"a beach")]


def test_an_item_that_is_not_waiting_is_left_alone(store: JobStore, storage: LocalFolder) -> None:
    job_id, remover = submitted(store, storage), FakeRemover()
    processing = worker(store, storage, remover)
    for _ in range(2):
        processing.run(item_id(job_id, 1))
    processing.run(item_id(job_id, 2))
    assert len(remover.given) == 1


@pytest.mark.parametrize(
    ("error", "code"), [(Busy("no room"), "busy"), (MemoryError(), "busy"), (OSError(28, "full"), "busy")]
)
def test_a_temporary_error_requeues_the_item_until_its_retries_are_used(
    store: JobStore, storage: LocalFolder, error: Exception, code: str
) -> None:
    job_id, processing = submitted(store, storage), worker(store, storage, failing(error), retries=1)
    for state in (QUEUED, FAILED):
        with capture_logs() as logs:
            processing.run(item_id(job_id, 1))
        assert item_of(store, job_id).state == state
        assert logs[-1]["status"] == state
        assert logs[-1]["outcome"] == (f"again: {code}" if state == QUEUED else code)
    assert JobQueries(store.database).state(job_id, None) == FAILED


@pytest.mark.parametrize(
    ("error", "code"), [(CorruptImage("cut off"), "corrupt_image"), (ZeroDivisionError(), "internal_error")]
)
def test_a_permanent_error_fails_the_item(store: JobStore, storage: LocalFolder, error: Exception, code: str) -> None:
    job_id = submitted(store, storage)
    worker(store, storage, failing(error)).run(item_id(job_id, 1))
    item = item_of(store, job_id)
    assert (item.state, item.error_code, item.attempts) == (FAILED, code, 1)


def test_an_item_cancelled_while_it_is_processed_leaves_no_result(store: JobStore, storage: LocalFolder) -> None:
    job_id = submitted(store, storage)

    def cancel() -> Result:
        assert store.cancel(job_id)
        return RESULT

    worker(store, storage, FakeRemover(cancel)).run(item_id(job_id, 1))
    assert item_of(store, job_id).state == CANCELLED
    assert list(storage.list("results/")) == []


def test_an_item_deleted_while_it_is_processed_leaves_no_result(store: JobStore, storage: LocalFolder) -> None:
    job_id = submitted(store, storage)

    def delete() -> Result:
        assert store.delete_item(item_id(job_id, 1))
        return RESULT

    worker(store, storage, FakeRemover(delete)).run(item_id(job_id, 1))
    assert item_of(store, job_id).state == DELETED
    assert list(storage.list("results/")) == []


def test_unavailable_storage_pauses_the_worker(
    store: JobStore, storage: LocalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("services.jobs.process.time.sleep", pauses.append)
    job_id = submitted(store, storage)
    worker(store, storage, failing(StorageUnavailable("gone"))).run(item_id(job_id, 1))
    assert pauses == [module.STORAGE_PAUSE_SECONDS]
    assert item_of(store, job_id).error_code == "storage_unavailable"


def test_facts_of_a_result_are_rounded() -> None:
    facts = result_facts(RESULT)
    assert (facts.confidence, facts.timings_ms, facts.bytes) == (0.988, {"decode": 1.2}, 9)
    assert (facts.format, facts.mimetype) == ("png", "image/png")
