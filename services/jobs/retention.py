"""Deletes expired job files, old job records and orphaned objects."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, NonNegativeInt

from services.capacity.deadline import Deadline
from services.jobs.pending import PendingWork
from services.jobs.store import JobStore
from services.jobs.tables import FOLDERS, OWN_KEY, JobItem
from services.storage.base import Storage, is_key
from services.storage.errors import StorageUnavailable

BATCH_SIZE: Final = 200
PREFIXES: Final = ("originals/", "results/", "masks/", "previews/", "archives/")
# A younger file may belong to a job that is being inserted.
ORPHAN_SECONDS: Final = 3600.0
# After this many jobs whose files can't be deleted, a round considers the storage lost.
MAX_STUCK: Final = 10
log = structlog.get_logger("retention")


class Removed(BaseModel):
    """How much of each kind one round deleted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jobs_expired: NonNegativeInt
    files: NonNegativeInt
    records: NonNegativeInt
    orphans: NonNegativeInt


class Retention:
    """Deletes expired jobs and files. Several processes may run it at the same time."""

    def __init__(self, store: JobStore, storage: Storage, record_seconds: float) -> None:
        """`record_seconds`: how long records outlive their files."""
        self._store, self._pending, self._storage = store, PendingWork(store.database), storage
        self._record_seconds = record_seconds

    def run(self) -> Removed:
        """Run one round. Raises `DatabaseUnavailable`, `StorageUnavailable`.

        Files of one job that can't be deleted hold up nothing else; their error is raised at the end.
        """
        stuck: dict[str, StorageUnavailable] = {}
        jobs, files = self._delete_expired_files(stuck)
        records, orphans = self._delete_old_records(), self._delete_orphans()
        removed = Removed(jobs_expired=jobs, files=files, records=records, orphans=orphans)
        if jobs or files or records or orphans:
            log.info("retention", **removed.model_dump())
        if stuck:
            raise next(iter(stuck.values()))
        return removed

    def erase(self, job_id: str) -> None:
        """Delete a job's files and its record, after cancelling what of it has not ended.

        Raises `DatabaseUnavailable`, `StorageUnavailable`: the record is kept then, so that this can be repeated.
        """
        self._store.mark_erased(job_id)
        self._store.cancel(job_id)
        self._delete_files(job_id)
        self._store.delete(job_id)
        log.info("job erased", job=job_id)

    def erase_all_of(self, owner: str, deadline: Deadline | None = None) -> int:
        """Erase the jobs of a key or a user; return how many. Raises `DeadlineExceeded` too; see `erase`."""
        erased = 0
        while found := self._pending.jobs_of(owner, BATCH_SIZE):
            for job_id in found:
                if deadline:
                    deadline.check()
                self.erase(job_id)
                erased += 1
        return erased

    def erase_item(self, item: JobItem) -> None:
        """Delete the files of one item, after ending it; those of the whole job where it was the last item.

        Raises `DatabaseUnavailable`, `StorageUnavailable`: this can be repeated then.
        """
        self._store.delete_item(item.id)
        self._store.close(item.job_id)
        if self._pending.all_deleted(item.job_id):
            self._delete_files(item.job_id)
        else:
            self._storage.delete(self._files_of(item))
        log.info("item deleted", item=item.id)

    def _files_of(self, item: JobItem) -> list[str]:
        """Find the files of an item: its original, and each result with its mask and preview."""
        prefixes = [f"{folder}{item.job_id}/{item.position}" for folder in FOLDERS.values()]
        found = [(prefix, stored.key) for prefix in prefixes for stored in self._storage.list(prefix)]
        # The prefix of the first item fits the tenth too.
        return [key for prefix, key in found if is_key(key) and not key.removeprefix(prefix)[:1].isdigit()]

    def _delete_files(self, job_id: str) -> int:
        """Delete the originals and results of a job, with their masks and previews; count them.

        Files that another program put there, under names that are not keys, are kept.
        """
        found = [stored.key for prefix in PREFIXES for stored in self._storage.list(f"{prefix}{job_id}/")]
        keys = [key for key in found if is_key(key)]
        self._storage.delete(keys)
        return len(keys)

    def _delete_expired_files(self, stuck: dict[str, StorageUnavailable]) -> tuple[int, int]:
        """Delete the files of expired jobs, whose records stay; count jobs and files.

        `stuck` gets the jobs whose files can't be deleted. Raises their error once there are `MAX_STUCK`.
        """
        jobs = files = 0
        while found := [j for j in self._pending.expired_jobs(BATCH_SIZE + len(stuck)) if j not in stuck]:
            for job_id in found:
                try:
                    files += self._delete_files(job_id)
                except StorageUnavailable as exc:
                    log.warning("files not deleted", job=job_id, details=exc.details)
                    stuck[job_id] = exc
                    if len(stuck) == MAX_STUCK:
                        raise
                else:
                    jobs += self._store.mark_files_removed(job_id)
        return jobs, files

    def _delete_old_records(self) -> int:
        before, deleted = datetime.now(UTC) - timedelta(seconds=self._record_seconds), 0
        while found := self._pending.old_records(before, BATCH_SIZE):
            for job_id in found:
                self._store.delete(job_id)
            deleted += len(found)
        return deleted

    def _delete_orphans(self) -> int:
        """Delete files without a job: an interrupted submission or a late worker left them behind."""
        before, deleted = datetime.now(UTC) - timedelta(seconds=ORPHAN_SECONDS), 0
        for prefix in PREFIXES:
            batch: dict[str, str] = {}
            for stored in self._storage.list(prefix):
                if stored.modified < before and (own := OWN_KEY.fullmatch(stored.key)):
                    batch[stored.key] = own[1]
                if len(batch) >= BATCH_SIZE:
                    deleted += self._delete_orphans_of(batch)
                    batch = {}
            deleted += self._delete_orphans_of(batch)
        return deleted

    def _delete_orphans_of(self, batch: Mapping[str, str]) -> int:
        """Delete the keys of `batch`, mapped to the job ids in them, that belong to no job; count them."""
        kept = self._pending.jobs_with_files(set(batch.values()))
        orphans = [key for key, job_id in batch.items() if job_id not in kept]
        self._storage.delete(orphans)
        return len(orphans)
