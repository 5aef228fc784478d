"""Retention deletes what has expired, and nothing else; on both databases."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from services.jobs.chosen_archive import KEPT_SECONDS
from services.jobs.errors import JobNotFound
from services.jobs.pending import PendingWork
from services.jobs.queries import JobQueries
from services.jobs.retention import MAX_STUCK, ORPHAN_SECONDS, Removed, Retention
from services.jobs.store import JobStore
from services.jobs.tables import CANCELLED, Job, item_id, new_job_id
from services.persistence.database import Database
from services.storage.errors import ResultExpired, StorageUnavailable
from services.storage.local import LocalFolder
from tests.support.jobs import FACTS, claim_item, insert_job


@pytest.fixture
def storage(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "objects", "secret")


def done(store: JobStore, storage: LocalFolder, **more: Any) -> str:
    job_id = insert_job(store, **more)
    for kind in ("originals", "results"):
        storage.put(f"{kind}/{job_id}/1", b"x", "image/png")
    assert store.finish(claim_item(store, job_id), f"results/{job_id}/1", FACTS)
    assert store.close(job_id)
    return job_id


def end(database: Database, job_id: str, seconds_ago: float) -> None:
    with database.session() as session:
        at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        session.execute(update(Job).where(Job.id == job_id).values(expires_at=at))


def make_old(folder: Path, besides: str = "") -> None:
    """Make all files as old as orphans are when they are deleted."""
    before = time.time() - ORPHAN_SECONDS - 10
    for path in folder.rglob("*"):
        if path.is_file() and besides not in path.parts:
            os.utime(path, (before, before))


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


def test_file_of_another_program_stops_no_deletion(
    database: Database, store: JobStore, storage: LocalFolder, tmp_path: Path
) -> None:
    expired, erased, orphan = done(store, storage), done(store, storage), new_job_id()
    storage.put(f"results/{orphan}/1.png", b"x", "image/png")
    foreign = [tmp_path / "objects/results" / name / "1 copy.png" for name in (expired, erased, orphan)]
    for path in foreign:
        path.write_bytes(b"x")
    make_old(tmp_path)
    end(database, expired, 10)
    cleanup = Retention(store, storage, 3600)
    assert cleanup.run() == Removed(jobs_expired=1, files=2, records=0, orphans=1)
    cleanup.erase(erased)
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file() and path not in foreign] == []


def test_job_whose_files_can_not_be_deleted_holds_up_no_other(
    database: Database, store: JobStore, storage: LocalFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [done(store, storage) for _ in range(4)]
    storage.put(f"results/{new_job_id()}/1.png", b"orphan", "image/png")
    make_old(tmp_path)
    for job_id in jobs:
        end(database, job_id, 10)
    stuck, delete = jobs[1], storage.delete

    def fail_one(keys: list[str]) -> None:
        if any(stuck in key for key in keys):
            raise StorageUnavailable("Permission denied")
        delete(keys)

    monkeypatch.setattr(storage, "delete", fail_one)
    cleanup = Retention(store, storage, record_seconds=1)
    with pytest.raises(StorageUnavailable, match="Permission denied"):
        cleanup.run()
    assert keys(storage) == {f"originals/{stuck}/1", f"results/{stuck}/1"}
    with database.session() as session:
        assert list(session.scalars(select(Job.id))) == [stuck]
    monkeypatch.undo()
    assert cleanup.run().jobs_expired == 1


def test_lost_storage_is_not_asked_for_each_expired_job(
    database: Database, store: JobStore, storage: LocalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(MAX_STUCK + 5):
        end(database, done(store, storage), 10)
    asked = []

    def fail(found: list[str]) -> None:
        asked.append(found)
        raise StorageUnavailable("gone")

    monkeypatch.setattr(storage, "delete", fail)
    with pytest.raises(StorageUnavailable):
        Retention(store, storage, 3600).run()
    assert len(asked) == MAX_STUCK


def test_callers_own_folder_may_look_like_a_jobs_id(store: JobStore, storage: LocalFolder, tmp_path: Path) -> None:
    """As hashes and UUIDs do, which callers like in `output_key`."""
    own = {f"results/{new_job_id()}", f"results/{new_job_id()}/photo.png", f"results/{new_job_id()}/a/1.png"}
    for key in own:
        storage.put(key, b"x", "image/png")
    make_old(tmp_path)
    assert Retention(store, storage, 3600).run().orphans == 0
    assert keys(storage) == own


def test_erased_job_is_announced_by_no_webhook_and_gets_no_other_result(
    store: JobStore, storage: LocalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://a.example/"
    ended, running = done(store, storage, callback_url=url), insert_job(store, callback_url=url)
    item = JobQueries(store.database).items([f"{ended}-1"], None)[f"{ended}-1"][1]
    announced, replaced = [], []

    def while_deleting(_: object) -> None:
        announced.append(PendingWork(store.database).due_webhook())
        replaced.append(store.replace_result(item, f"results/{ended}/1-1ab.png", FACTS))

    monkeypatch.setattr(storage, "delete", while_deleting)
    for job_id in (ended, running):
        Retention(store, storage, 3600).erase(job_id)
    assert (announced, replaced) == ([None, None], [False, False])


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
    make_old(storage._folder, besides=young)
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
