"""Answers callers' questions about jobs: one job, its state, a page of jobs, how much waits, how long it may take.

Read-only. What background processes look for is in `pending.py`.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, case, func, or_, select, true
from sqlalchemy.orm import Session

from services.errors import BadOption
from services.jobs.errors import ItemNotFound, JobNotFound
from services.jobs.eta import Eta
from services.jobs.retry import lasting_codes
from services.jobs.tables import ACTIVE, CANCELLED, DELETED, FAILED, FINISHED, ITEM_ID, JOB_ID, STARTED, Job, JobItem
from services.persistence.database import Database
from services.storage.errors import ResultExpired

STATE: Final = select(Job.state, Job.owner).where(Job.id == bindparam("id"))


@dataclass(frozen=True)
class JobSnapshot:
    """A job as it is now, with its items in their order.

    `eta_seconds` is None when nothing is left to wait for, and as long as nothing is known of the workers' speed.
    """

    job: Job
    items: Sequence[JobItem]
    eta_seconds: float | None

    @property
    def expired(self) -> bool:
        """Whether its files are no longer kept."""
        return is_expired(self.job)

    @property
    def progress(self) -> int:
        """Return the mean progress of its items, 0 to 100; ended items count as 100."""
        done = [100 if item.state not in ACTIVE else item.progress for item in self.items]
        return sum(done) // len(done)

    @property
    def has_download(self) -> bool:
        """Whether the job is over and has a result: a cancelled one has those of the images done before."""
        over = self.job.state in (FINISHED, CANCELLED)
        return over and any(item.state == FINISHED for item in self.items)

    @property
    def deleted_items(self) -> list[JobItem]:
        """Return the items that were deleted."""
        return [item for item in self.items if item.state == DELETED]

    @property
    def failed_items(self) -> list[JobItem]:
        """Return the items that have failed."""
        return [item for item in self.items if item.state == FAILED]

    @property
    def retryable_items(self) -> list[JobItem]:
        """Return the failed items that may succeed if they are tried again, and whose images are still kept."""
        over = self.job.state in (FAILED, FINISHED) and self.job.removed_at is None
        kept = over and self.job.expires_at is not None and self.job.expires_at > datetime.now(UTC)
        return [item for item in self.failed_items if kept and item.attempts and item.error_code not in lasting_codes()]


@dataclass(frozen=True)
class Lister:
    """Whose jobs are listed: those of an API key, those that a browser made without one, or, for operators, all."""

    key_id: str | None = None
    visitor: str | None = None
    everybody: bool = False


class JobQueries:
    """Queries of the records. Every method raises `DatabaseUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database, self._eta = database, Eta()

    def job(self, job_id: str, owner: str | None) -> JobSnapshot:
        """Return a job that this caller may see: its own, or one made without a key. Raises `JobNotFound`."""
        return self._job(job_id, lambda job: job.owner in (None, owner))

    def any_job(self, job_id: str) -> JobSnapshot:
        """Return a job of any caller, for operators. Raises `JobNotFound`."""
        return self._job(job_id, lambda _: True)

    def _job(self, job_id: str, seen: Callable[[Job], bool]) -> JobSnapshot:
        with self._database.session() as session:
            job = session.get(Job, job_id)
            found = _snapshots(session, [job] if job and seen(job) else [])
            if not found:
                raise JobNotFound
            return replace(found[0], eta_seconds=self._seconds(session, found[0]))

    def state(self, job_id: str, owner: str | None) -> str:
        """Return the job's state alone, for a tenth of the cost of the whole job. Raises `JobNotFound`."""
        with self._database.connection() as connection:
            found = connection.execute(STATE, {"id": job_id}).one_or_none()
        if found is None or found.owner not in (None, owner):
            raise JobNotFound
        return str(found.state)

    def latest(self, item_id: str) -> JobItem | None:
        """Return an item as it is now."""
        with self._database.session() as session:
            return session.get(JobItem, item_id)

    def items(self, item_ids: Sequence[str], owner: str | None) -> dict[str, tuple[Job, JobItem]]:
        """Return those of the items that this caller may see, by id, each with its job."""
        return self._items(item_ids, _seen_by(owner))

    def items_by_id(self, item_ids: Sequence[str]) -> dict[str, tuple[Job, JobItem]]:
        """Return the items of these ids, whosever they are, each with its job."""
        return self._items(item_ids, true())

    def _items(self, item_ids: Sequence[str], seen: ColumnElement[bool]) -> dict[str, tuple[Job, JobItem]]:
        # PostgreSQL refuses a text with a NUL: no id of another form reaches it.
        ids = [item_id for item_id in item_ids if ITEM_ID.fullmatch(item_id)]
        found = select(Job, JobItem).join(JobItem, JobItem.job_id == Job.id).where(seen, JobItem.id.in_(ids))
        with self._database.session() as session:
            return {item.id: (job, item) for job, item in session.execute(found)}

    def states(self, job_ids: Sequence[str], owner: str | None) -> dict[str, tuple[str, int]]:
        """Return the state of those jobs that this caller may see, by id, and how many of their items were deleted."""
        deleted = select(func.count()).where(JobItem.job_id == Job.id, JobItem.state == DELETED).scalar_subquery()
        found = select(Job.id, Job.state, deleted).where(_seen_by(owner), Job.id.in_(filter(JOB_ID.fullmatch, job_ids)))
        with self._database.connection() as connection:
            return {row.id: (row.state, row[2]) for row in connection.execute(found)}

    def jobs(self, job_ids: Sequence[str], owner: str | None) -> dict[str, JobSnapshot]:
        """Return those of the jobs that this caller may see, by id, without estimates."""
        if not job_ids:
            return {}
        with self._database.session() as session:
            found = session.scalars(select(Job).where(_seen_by(owner), Job.id.in_(job_ids)))
            return {snapshot.job.id: snapshot for snapshot in _snapshots(session, list(found))}

    def eta(self, snapshot: JobSnapshot) -> float | None:
        """Estimate the seconds until a job ends; None where nothing is known."""
        with self._database.session() as session:
            return self._seconds(session, snapshot)

    def _seconds(self, session: Session, found: JobSnapshot) -> float | None:
        return self._eta.seconds(session, found.job, found.items) if found.job.state in ACTIVE else None

    def unexpired(self, job_id: str, owner: str | None) -> JobSnapshot:
        """Return a job as `job` does, if its files are still kept. Raises `ResultExpired`."""
        snapshot = self.job(job_id, owner)
        check_kept(snapshot.job)
        return snapshot

    def item(self, job_id: str, item_id: str, owner: str | None) -> tuple[Job, JobItem]:
        """Return a job that this caller may see, and one of its items. Raises `JobNotFound`, `ItemNotFound`."""
        with self._database.session() as session:
            job = session.get(Job, job_id)
            item = session.get(JobItem, item_id) if ITEM_ID.fullmatch(item_id) else None
        if job is None or job.owner not in (None, owner):
            raise JobNotFound
        if item is None or item.job_id != job_id:
            raise ItemNotFound
        return job, item

    def by_idempotency_key(self, caller: str, key: str) -> Job | None:
        """Return the job that this caller made with this key."""
        with self._database.session() as session:
            return session.scalar(select(Job).where(Job.caller == caller, Job.idempotency_key == key))

    def load_of(self, caller: str) -> tuple[int, int]:
        """Count the caller's items that have not ended, and those of them that are in flight."""
        sent = case((or_(JobItem.state == STARTED, JobItem.queued_at.is_not(None)), 1), else_=0)
        counts = select(func.count(), func.coalesce(func.sum(sent), 0)).select_from(JobItem)
        with self._database.session() as session:
            active = counts.where(JobItem.caller == caller, JobItem.state.in_(ACTIVE))
            waiting, in_flight = session.execute(active).one()
        return waiting, in_flight

    def page(
        self, lister: Lister, limit: int, cursor: str = "", *, failed: bool = False
    ) -> tuple[list[JobSnapshot], str]:
        """Return the lister's own jobs, newest first, and the cursor of the next page (empty: none).

        `failed`: only jobs with a failed item. Raises `BadOption` for an invalid cursor.
        """
        own = Job.owner == lister.key_id if lister.key_id else Job.visitor == lister.visitor
        query = select(Job).where(true() if lister.everybody else own)
        if failed:
            failures = select(JobItem.id).where(JobItem.job_id == Job.id, JobItem.state == FAILED)
            query = query.where(Job.state.in_((FAILED, FINISHED)), failures.exists())
        if cursor:
            at, last = _read_cursor(cursor)
            query = query.where(or_(Job.created_at < at, and_(Job.created_at == at, Job.id < last)))
        with self._database.session() as session:
            jobs = list(session.scalars(query.order_by(Job.created_at.desc(), Job.id.desc()).limit(limit + 1)))
            more, jobs = len(jobs) > limit, jobs[:limit]
            snapshots = _snapshots(session, jobs)
        return snapshots, _cursor(jobs[-1]) if more else ""


def _seen_by(owner: str | None) -> ColumnElement[bool]:
    """Fit the jobs that a caller may see: its own, and those made without a key."""
    return or_(Job.owner.is_(None), Job.owner == owner) if owner else Job.owner.is_(None)


def _snapshots(session: Session, jobs: Sequence[Job]) -> list[JobSnapshot]:
    """Return the jobs with their items, without estimates; a job that was deleted since has none, and is left out."""
    of_these = select(JobItem).where(JobItem.job_id.in_([job.id for job in jobs]))
    items: dict[str, list[JobItem]] = {job.id: [] for job in jobs}
    for item in session.scalars(of_these.order_by(JobItem.job_id, JobItem.position)):
        items[item.job_id].append(item)
    return [JobSnapshot(job, items[job.id], None) for job in jobs if items[job.id]]


def is_expired(job: Job) -> bool:
    """Return whether a job's files are no longer kept."""
    return job.expires_at is not None and job.expires_at <= datetime.now(UTC)


def check_kept(job: Job) -> None:
    """Raise `ResultExpired` for a job whose files are no longer kept."""
    if is_expired(job):
        raise ResultExpired(f"the job's files were kept until {job.expires_at:%Y-%m-%d %H:%M:%S} UTC")


def check_not_deleted(item: JobItem) -> None:
    """Raise `ResultExpired` for an item that was deleted."""
    if item.state == DELETED:
        raise ResultExpired("the image was deleted", "Send the image again")


def _cursor(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at.isoformat()} {job.id}".encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[datetime, str]:
    try:
        at, last = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode("ascii").split(" ")
        utc = datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, OverflowError):
        last = ""
    if not JOB_ID.fullmatch(last):
        raise BadOption("cursor", text[:100], "next_cursor of the page before")
    return utc, last
