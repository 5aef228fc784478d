"""What has had its time goes: files of jobs long over, records older still, and files that belong to no job."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select, update

from services.jobs.store import Records
from services.jobs.tables import CANCELLED, FAILED, FINISHED, JOB_ID, Job
from services.storage.base import Storage

AT_ONCE: Final = 200
PREFIXES: Final = ("originals/", "results/")
ORPHAN_SECONDS: Final = 3600.0  # a younger file may belong to a job that is being written down
OVER: Final = (FINISHED, FAILED, CANCELLED)
log = structlog.get_logger("cleanup")


@dataclass
class Removed:
    """How much of each kind was removed."""

    jobs_expired: int = 0
    files: int = 0
    records: int = 0
    orphans: int = 0


@dataclass
class Cleanup:
    """Harmless when run twice, or by many at once. `older_than`: seconds that records outlive their files."""

    records: Records
    storage: Storage
    older_than: float
    removed: Removed = field(default_factory=Removed)

    def run(self) -> dict[str, int]:
        """One round; what was removed. Raises `DatabaseUnavailable`, `StorageUnavailable`."""
        self.removed = Removed()
        self._files()
        self._records()
        self._orphans()
        told = asdict(self.removed)
        if any(told.values()):
            log.info("cleanup", **told)
        return told

    def _files(self) -> None:
        """Files of jobs that are over their time. What stays of them is the record, which says that they are gone."""
        while found := self._expired():
            for job_id in found:
                keys = [stored.key for prefix in PREFIXES for stored in self.storage.list(f"{prefix}{job_id}/")]
                self.storage.delete(keys)
                with self.records.database.session() as session:
                    session.execute(update(Job).where(Job.id == job_id).values(removed_at=_now()))
                self.removed.jobs_expired += 1
                self.removed.files += len(keys)

    def _expired(self) -> list[str]:
        late = select(Job.id).where(Job.state.in_(OVER), Job.expires_at < _now(), Job.removed_at.is_(None))
        with self.records.database.session() as session:
            return list(session.scalars(late.limit(AT_ONCE)))

    def _records(self) -> None:
        before = _now() - timedelta(seconds=self.older_than)
        old = select(Job.id).where(Job.removed_at.is_not(None), Job.expires_at < before).limit(AT_ONCE)
        while True:
            with self.records.database.session() as session:
                found = list(session.scalars(old))
            if not found:
                return
            for job_id in found:
                self.records.remove(job_id)
            self.removed.records += len(found)

    def _orphans(self) -> None:
        """Files whose job is not written down: left by a submission that was cut off, or by a worker that came late."""
        before = _now() - timedelta(seconds=ORPHAN_SECONDS)
        for prefix in PREFIXES:
            batch: dict[str, str] = {}
            for stored in self.storage.list(prefix):
                job_id = stored.key.split("/")[1]
                if stored.modified < before and JOB_ID.fullmatch(job_id):  # others are callers' own: `output_key`
                    batch[stored.key] = job_id
                if len(batch) >= AT_ONCE:
                    self._remove_orphans(batch)
                    batch = {}
            self._remove_orphans(batch)

    def _remove_orphans(self, batch: dict[str, str]) -> None:
        """`batch` maps keys to the jobs they name."""
        with self.records.database.session() as session:
            kept = select(Job.id).where(Job.id.in_(set(batch.values())), Job.removed_at.is_(None))
            known: set[Any] = set(session.scalars(kept))
        orphans = [key for key, job_id in batch.items() if job_id not in known]
        self.storage.delete(orphans)
        self.removed.orphans += len(orphans)


def _now() -> datetime:
    return datetime.now(UTC)
