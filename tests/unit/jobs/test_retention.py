"""Retention deletes what has expired, and nothing else; on both databases."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from services.jobs.chosen_archive import KEPT_SECONDS
from services.jobs.errors import JobNotFound
from services.jobs.pending import PendingWork
from services.jobs.queries import JobQueries
from services.jobs.retention import ORPHAN_SECONDS, Removed, Retention
from services.jobs.store import JobStore
from services.jobs.tables import CANCELLED, Job, item_id, new_job_id
from services.persistence.database import Database
from services.storage.errors import ResultExpired, StorageUnavailable
from services.storage.local import LocalFolder
from tests.support.jobs import FACTS, claim_item, insert_job


@pytest.fixture
def storage(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "objects", "secret")


def done(store: JobStore, storage: LocalFolder) -> str:
    job_id = insert_job(store)
    for kind in ("originals", "results"):
        storage.put(f"{kind}/{job_id}/1", b"x", "image/png")
    assert store.finish(claim_item(store, job_id), f"results/{job_id}/1", FACTS)
    assert store.close(job_id)
    return job_id


def end(database: Database, job_id: str, seconds_ago: float) -> None:
    with database.session() as session:
        at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        session.execute(update(Job).where(Job.id == job_id).values(expires_at=at))


def keys(storage: LocalFolder) -> set[str]:
    return {stored.key for stored in storage.list("")}


def test_files_are_deleted_when_they_expire_and_records_later(
    database: Database, store: JobStore, queries: JobQueries, storage: LocalFolder
) -> None:  # fmt: skip
    young, old, running = done(store, storage), done(store, storage), insert_job(store)
    storage.put(f"originals/{running}/1", b"x", "image/png")
    end(database, old, 10)
    cleanup = Retention(store, storage, record_seconds=3600)
    assert cleanup.run() == Removed(jobs_expired=1, files=2, records=0, orphans=0)
    assert cleanup.run() == Removed(jobs_expired=0, files=0, records=0, orphans=0)
    assert keys(storage) == {f"originals/{young}/1", f"results/{young}/1", f"originals/{running}/1"}
    with pytest.raises(ResultExpired):
        queries.unexpired(old, None)
    assert not store.retry(old)
    end(database, old, 3700)
    assert cleanup.run().records == 1
    with pytest.raises(JobNotFound):
        queries.job(old, None)
    assert queries.job(young, None)


def test_erased_job_leaves_no_file_and_no_record(
    store: JobStore, queries: JobQueries, storage: LocalFolder
) -> None:  # fmt: skip
    kept, erased = done(store, storage), done(store, storage)
    running = insert_job(store, 2, callback_url="https://a.example/")
    storage.put(f"originals/{running}/1", b"x", "image/png")
    storage.put(f"originals/{running}/background", b"x", "image/png")
    claim = claim_item(store, running)
    for job_id in (erased, running):
        Retention(store, storage, 3600).erase(job_id)
        with pytest.raises(JobNotFound):
            queries.job(job_id, None)
    assert keys(storage) == {f"originals/{kept}/1", f"results/{kept}/1"}
    assert not store.finish(claim, "k", FACTS)
    assert PendingWork(store.database).is_unwanted(claim.item.id)
    assert PendingWork(store.database).due_webhook() is None


def test_job_whose_files_can_not_be_deleted_keeps_its_record(
    store: JobStore, queries: JobQueries, storage: LocalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise StorageUnavailable("gone")

    job_id = insert_job(store)
    storage.put(f"originals/{job_id}/1", b"x", "image/png")
    monkeypatch.setattr(storage, "delete", fail)
    with pytest.raises(StorageUnavailable):
        Retention(store, storage, 3600).erase(job_id)
    monkeypatch.undo()
    assert queries.job(job_id, None).job.state == CANCELLED
    Retention(store, storage, 3600).erase(job_id)
    assert keys(storage) == set()


def test_deletion_of_an_item_that_the_storage_refused_can_be_repeated(
    store: JobStore, queries: JobQueries, storage: LocalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise StorageUnavailable("gone")

    job_id = insert_job(store, 2)
    for position in (1, 2):
        storage.put(f"originals/{job_id}/{position}", b"x", "image/png")
    item = queries.item(job_id, item_id(job_id, 1), None)[1]
    monkeypatch.setattr(storage, "delete", fail)
    with pytest.raises(StorageUnavailable):
        Retention(store, storage, 3600).erase_item(item)
    monkeypatch.undo()
    assert PendingWork(store.database).is_unwanted(item.id)
    Retention(store, storage, 3600).erase_item(item)
    assert keys(storage) == {f"originals/{job_id}/2"}


def test_old_orphans_are_deleted_but_not_young_or_callers_files(store: JobStore, storage: LocalFolder) -> None:
    kept, orphan, young = done(store, storage), new_job_id(), new_job_id()
    for key in (f"originals/{orphan}/1", f"results/{orphan}/1.png", f"originals/{young}/1", "results/photos/cat.png"):
        storage.put(key, b"x", "image/png")
    before = time.time() - ORPHAN_SECONDS - 10
    for path in (storage._folder).rglob("*"):
        if path.is_file() and young not in path.parts:
            os.utime(path, (before, before))
    assert Retention(store, storage, 3600).run().orphans == 2
    left = {f"originals/{kept}/1", f"results/{kept}/1", f"originals/{young}/1", "results/photos/cat.png"}
    assert keys(storage) == left


def test_masks_and_previews_go_with_their_job(database: Database, store: JobStore, storage: LocalFolder) -> None:
    expired, erased = done(store, storage), done(store, storage)
    for job_id in (expired, erased):
        for key in (f"masks/{job_id}/1-1ab.png", f"previews/{job_id}/1-1ab.webp"):
            storage.put(key, b"x", "")
    end(database, expired, 10)
    cleanup = Retention(store, storage, record_seconds=3600)
    assert cleanup.run().files == 4
    cleanup.erase(erased)
    assert keys(storage) == set()


def test_archive_is_deleted_when_its_link_has_expired(store: JobStore, storage: LocalFolder, tmp_path: Path) -> None:
    assert KEPT_SECONDS <= ORPHAN_SECONDS
    old, young = (f"archives/{new_job_id()}/manifest.json" for _ in range(2))
    for key in (old, young):
        storage.put(key, b"{}", "application/json")
    past = time.time() - ORPHAN_SECONDS - 1
    os.utime(tmp_path / "objects" / old, (past, past))
    assert Retention(store, storage, record_seconds=3600).run().orphans == 1
    assert keys(storage) == {young}
