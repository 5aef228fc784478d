"""A worker stops a cancelled or slow item at any stage and leaves no result."""

from pathlib import Path
from typing import Any

import pytest

from services.capacity.admission import Admission
from services.capacity.deadline import Deadline
from services.imaging.decode import ImageLimits
from services.imaging.formats import Format
from services.inference.segmenter import RembgSegmenter
from services.jobs import lease as leases
from services.jobs import process as work
from services.jobs.dispatch import Dispatcher
from services.jobs.lease import PROGRESS, Lease
from services.jobs.process import Terms, Worker
from services.jobs.queries import JobQueries
from services.jobs.retry import RetryPolicy
from services.jobs.store import Claim, JobStore
from services.jobs.tables import item_id, result_key
from services.removal import Remover
from services.storage.local import LocalFolder
from tests.support.jobs import FakeQueue, insert_job

OPTIONS = {"max_width": "64"}
STAGES = [*PROGRESS, "stored"]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Use only SQLite: test_store.py covers both databases."""
    return f"sqlite:///{tmp_path}/jobs.db"


@pytest.fixture
def storage(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "objects", "secret")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renew leases often, so that tests do not wait."""
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)


class OneModel:
    """A model source with one loaded model."""

    def __init__(self, segmenter: RembgSegmenter) -> None:
        self._segmenter = segmenter

    def get(self, _name: str | None, _deadline: Deadline) -> RembgSegmenter:
        return self._segmenter


def worker(
    store: JobStore,
    storage: LocalFolder,
    segmenter: RembgSegmenter,
    soft_seconds: float = 60,
    retries: RetryPolicy = RetryPolicy(0, [0]),  # noqa: B008 - frozen
) -> Worker:
    return Worker(
        store=store,
        dispatcher=Dispatcher(store, FakeQueue(), 8),  # type: ignore[arg-type]
        storage=storage,
        remover=Remover(OneModel(segmenter), ImageLimits(), Admission(1, 0)),
        terms=Terms(60, soft_seconds, retries),
    )


def handed_in(store: JobStore, storage: LocalFolder, data: bytes, **options: Any) -> str:
    job_id = insert_job(store, options={**OPTIONS, **options})
    storage.put(f"originals/{job_id}/1", data, "image/jpeg")
    return job_id


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("stage", STAGES)
def test_a_job_cancelled_at_any_stage_stops_there_and_leaves_no_result(
    stage: str,
    store: JobStore,
    queries: JobQueries,
    storage: LocalFolder,
    segmenter: RembgSegmenter,
    jpeg: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def cancel(job_id: str) -> None:
        assert store.cancel(job_id)

    class Watched(Lease):
        def note_stage(self, name: str) -> None:
            super().note_stage(name)
            seen.append(name)
            if name == stage:
                cancel(self._claim.job.id)
                assert self._lost.wait(10)

    def finish(claim: Claim, *rest: Any) -> bool:
        if stage == "stored":
            seen.append("stored")
            with storage.open(key) as stored:
                assert stored.size
            cancel(claim.job.id)
        return JobStore.finish(store, claim, *rest)

    monkeypatch.setattr(work, "Lease", Watched)
    monkeypatch.setattr(store, "finish", finish)
    job_id = handed_in(store, storage, jpeg)
    key = result_key(job_id, 1, Format.PNG.extension)
    worker(store, storage, segmenter).run(item_id(job_id, 1))
    found = queries.job(job_id, None)
    assert (found.job.state, found.items[0].state, found.items[0].result_key) == ("cancelled", "cancelled", None)
    # No later stage starts.
    assert seen[-1] == stage or (stage, seen[-1]) == ("encode", "store")
    assert [stored.key for stored in storage.list("results/")] == []


def test_an_item_over_its_time_limit_is_retried_and_then_fails(
    store: JobStore,
    queries: JobQueries,
    storage: LocalFolder,
    segmenter: RembgSegmenter,
    photo_12mp: bytes,
) -> None:
    job_id = handed_in(store, storage, photo_12mp, edges="matting")
    slow = worker(store, storage, segmenter, soft_seconds=0.3, retries=RetryPolicy(1, [0]))
    slow.run(item_id(job_id, 1))
    (item,) = queries.job(job_id, None).items
    assert (item.state, item.error_code, item.attempts) == ("queued", "deadline_exceeded", 1)
    slow.run(item_id(job_id, 1))
    found = queries.job(job_id, None)
    (item,) = found.items
    assert (item.state, item.error_code, item.attempts) == ("failed", "deadline_exceeded", 2)
    assert item.finished_at
    assert item.started_at
    # Without the limit the item would take much longer.
    assert (item.finished_at - item.started_at).total_seconds() < 3
    assert found.job.state == "failed"
    assert found.retryable_items
