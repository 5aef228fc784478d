"""Run a service with jobs and its worker, with a client for both."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
from sqlalchemy import select

from services.api_keys.keys import JOBS, REMOVE, create_key
from services.jobs.tables import Job, JobItem
from services.persistence.database import Database
from tests.support import tiny_models
from tests.support.gunicorn import Gunicorn, Worker
from tests.support.waiting import poll

SINGLE = "/api/jobs/remove-bg"


BATCH = "/api/jobs/remove-bg-batch"


HEADERS = {"Origin": "https://example.org", "X-Request-ID": "test.errors-1"}


# Takes some seconds on an image of 12 megapixels.
SLOW: Final = {"edges": "matting"}


@dataclass
class Place:
    """A service, its worker if the test starts one, and the database and storage behind them."""

    server: Gunicorn
    settings: dict[str, Any]
    database: Database
    objects: Path
    key: str
    other_key: str
    worker: Worker | None = None

    def call(self, method: str, path: str, key: str | None = None, **more: Any) -> requests.Response:
        headers = {**HEADERS, "X-Api-Key": self.key if key is None else key, **more.pop("headers", {})}
        return requests.request(method, self.server.url + path, headers=headers, timeout=30, **more)

    def submit(self, data: bytes, *, headers: Any = None, **options: Any) -> str:
        answer = self.call("POST", SINGLE, files={"file": ("a.jpg", data)}, data=options, headers=headers or {})
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["job_id"]
        assert answer.headers["Location"] == answer.json()["status_url"] == f"/api/jobs/{job_id}"
        return job_id

    def show(self, job_id: str) -> dict[str, Any]:
        answer = self.call("GET", f"/api/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def until(self, job_id: str, *states: str, seconds: float = 90) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            found = self.show(job_id)
            assert found["status"] in ("queued", "started", *states), found
            return found if found["status"] in states else None

        found: dict[str, Any] = poll(there, seconds, f"{states}")
        return found

    def child_of(self, job_id: str) -> int:
        """Wait until a process works on the job's item; return its id."""

        def holder() -> int | None:
            with self.database.session() as session:
                owner = session.scalar(select(JobItem.lease_owner).where(JobItem.job_id == job_id))
            return int(owner.split(":")[-2]) if owner else None

        pid: int = poll(holder, 30, "a worker's claim")
        return pid

    def stored(self) -> set[str]:
        paths = [
            path for kind in ("originals", "results", "masks", "previews") for path in (self.objects / kind).rglob("*")
        ]
        return {str(path.relative_to(self.objects)) for path in paths if path.is_file()}


def settings_for(folder: Path, broker: str, database_url: str) -> dict[str, Any]:
    return {
        "JOBS_ENABLED": "true",
        "JOB_BROKER_URL": broker,
        "DATABASE_URL": database_url,
        "STORAGE_URL": f"file:{folder}/objects",
        "AUTH_REQUIRED": "true",
        "WORKER_CONCURRENCY": 1,
        "JOB_LEASE_SECONDS": 2.5,
        "JOB_SWEEP_SECONDS": 0.3,
        "JOB_RETRY_MAX": 1,
        "JOB_RETRY_INTERVALS": "0.1",
        "BATCH_CONCURRENCY": 4,
        "MAX_BATCH_FILES": 12,
        "MAX_WAITING_PER_CALLER": 20,
    }


@contextlib.contextmanager
def place(folder: Path, broker: str, database_url: str, **more: Any) -> Iterator[Place]:
    settings = {**tiny_models.quick(), **settings_for(folder, broker, database_url), **more}
    database = Database(database_url)
    own, other = (create_key(database, name=name, scopes=(JOBS, REMOVE))[0] for name in ("ann", "bob"))
    with Gunicorn(**settings) as server:
        yield Place(server, settings, database, folder / "objects", own, other)
    database.close()


@contextlib.contextmanager
def working_place(folder: Path, broker_port: int, **more: Any) -> Iterator[Place]:
    """Run a service and its worker on one machine: SQLite, a local folder, and the queue on this port."""
    broker, database_url = f"redis://127.0.0.1:{broker_port}/0", f"sqlite:///{folder}/jobs.db"
    with place(folder, broker, database_url, **more) as found, Worker(**found.settings) as worker:
        poll(lambda: "ready." in worker.log(), what="the worker")
        found.worker = worker
        yield found


def job_ids(place: Place) -> set[str]:
    with place.database.session() as session:
        return set(session.scalars(select(Job.id)))
