"""A worker waits for an unavailable database or storage, so that no message and no attempt is lost."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.errors import DatabaseUnavailable
from services.jobs import process as work
from services.jobs.dispatch import Dispatcher
from services.jobs.process import Terms, Worker
from services.jobs.queries import JobQueries
from services.jobs.retry import RetryPolicy
from services.jobs.store import JobStore
from services.jobs.tables import item_id
from services.persistence.database import Database
from services.storage.errors import StorageUnavailable
from services.storage.local import LocalFolder
from tests.support.jobs import FakeQueue, insert_job
from tests.support.servers.postgres import Postgres


class LostStorage(LocalFolder):
    """A storage that can't be reached."""

    def open(self, key: str) -> Any:
        raise StorageUnavailable("gone")


def worker(database: Database, folder: Path, lease: float = 30.0) -> Worker:
    store = JobStore(database, result_seconds=3600)
    queue: Any = FakeQueue()
    # Never called: reading the original fails first.
    remover: Any = None
    return Worker(
        store=store,
        dispatcher=Dispatcher(store, queue, 1),
        storage=LostStorage(folder, "secret"),
        remover=remover,
        terms=Terms(lease, 60, RetryPolicy(3, (60.0,))),
    )


@pytest.fixture
def remote(postgres: Postgres) -> Iterator[Database]:
    database = Database(postgres.new_database())
    yield database
    database.close()


def tried(database: Database, job_id: str) -> tuple[int, str | None]:
    (item,) = JobQueries(database).job(job_id, None).items
    return item.attempts, item.error_code


def test_a_worker_waits_for_a_database_that_comes_back(
    remote: Database, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "STORAGE_PAUSE_SECONDS", 0)
    job_id = insert_job(JobStore(remote, result_seconds=3600))
    one, asked = worker(remote, tmp_path), threading.Event()
    claim = one._store.claim

    def ask(*how: Any) -> Any:
        asked.set()
        return claim(*how)

    monkeypatch.setattr(one._store, "claim", ask)
    running = threading.Thread(target=one.run, args=(item_id(job_id, 1),))
    postgres.stop()
    try:
        running.start()
        assert asked.wait(10)
    finally:
        postgres.start()
    running.join(20)
    assert not running.is_alive()
    assert tried(remote, job_id) == (1, "storage_unavailable")


def test_a_worker_gives_up_on_a_database_after_one_lease(tmp_path: Path) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:9/nothing")
    with pytest.raises(DatabaseUnavailable):
        worker(nowhere, tmp_path, lease=0.1).run(item_id("0" * 32, 1))


def test_a_worker_pauses_while_storage_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(f"sqlite:///{tmp_path}/jobs.db")
    job_id = insert_job(JobStore(database, result_seconds=3600))
    waited: list[float] = []

    def pause(seconds: float) -> None:
        # The worker still holds this item, so it is sent no other.
        assert tried(database, job_id) == (1, None)
        waited.append(seconds)

    monkeypatch.setattr("services.jobs.process.time.sleep", pause)
    worker(database, tmp_path).run(item_id(job_id, 1))
    assert waited == [work.STORAGE_PAUSE_SECONDS]
    assert tried(database, job_id) == (1, "storage_unavailable")
    database.close()
