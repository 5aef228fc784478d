"""What the records tell: a caller's jobs, how far they are, how long they may take. Nothing changes anything here."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import and_, bindparam, case, func, or_, select

from services.errors import BadOption
from services.jobs.errors import JobNotFound
from services.jobs.eta import Eta
from services.jobs.tables import ACTIVE, FAILED, FINISHED, STARTED, Job, JobItem
from services.persistence.database import Database
from services.storage.errors import ResultExpired

STATE: Final = select(Job.state, Job.owner).where(Job.id == bindparam("id"))


@dataclass(frozen=True)
class Report:
    """A job as it is now, with its items in their order."""

    job: Job
    items: Sequence[JobItem]
    eta_seconds: float | None

    @property
    def expired(self) -> bool:
        """Whether its files are no longer kept."""
        return self.job.expires_at is not None and self.job.expires_at <= datetime.now(UTC)

    @property
    def progress(self) -> int:
        """0 to 100; what is over counts as done."""
        done = [100 if item.state not in ACTIVE else item.progress for item in self.items]
        return sum(done) // len(done)

    @property
    def retryable(self) -> bool:
        """Whether something of it has failed that was tried and is still kept."""
        over = self.job.state in (FAILED, FINISHED) and self.job.removed_at is None
        kept = over and self.job.expires_at is not None and self.job.expires_at > datetime.now(UTC)
        return kept and any(item.state == FAILED and item.attempts for item in self.items)


class Reports:
    """Questions to the records. Every method raises `DatabaseUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database, self._eta = database, Eta()

    def job(self, job_id: str, owner: str | None) -> Report:
        """A job that this caller may see: its own, or one that was made without a key. Raises `JobNotFound`."""
        with self._database.session() as session:
            job = session.get(Job, job_id)
            if job is None or job.owner not in (None, owner):
                raise JobNotFound
            items = list(session.scalars(select(JobItem).where(JobItem.job_id == job_id).order_by(JobItem.position)))
            return Report(job, items, self._eta.seconds(session, job, items) if job.state in ACTIVE else None)

    def state(self, job_id: str, owner: str | None) -> str:
        """The job's state alone, for a tenth of what the whole costs. Raises `JobNotFound`."""
        with self._database.connection() as connection:
            found = connection.execute(STATE, {"id": job_id}).one_or_none()
        if found is None or found.owner not in (None, owner):
            raise JobNotFound
        state: str = found.state
        return state

    def unexpired(self, job_id: str, owner: str | None) -> Report:
        """The same, if its files are still kept. Raises `ResultExpired`."""
        report = self.job(job_id, owner)
        if report.expired:
            raise ResultExpired(f"the job's files were kept until {report.job.expires_at:%Y-%m-%d %H:%M:%S} UTC")
        return report

    def by_idempotency_key(self, caller: str, key: str) -> Job | None:
        """The job that this caller made with this key."""
        with self._database.session() as session:
            return session.scalar(select(Job).where(Job.caller == caller, Job.idempotency_key == key))

    def load_of(self, caller: str) -> tuple[int, int]:
        """How many of the caller's images are not done yet, and how many of these are on their way or worked on."""
        sent = case((or_(JobItem.state == STARTED, JobItem.queued_at.is_not(None)), 1), else_=0)
        found = select(func.count(), func.coalesce(func.sum(sent), 0))
        with self._database.session() as session:
            waiting, flying = session.execute(
                found.where(JobItem.caller == caller, JobItem.state.in_(ACTIVE)).select_from(JobItem)
            ).one()
        return waiting, flying

    def page(self, owner: str, limit: int, cursor: str = "", *, failed: bool = False) -> tuple[list[Report], str]:
        """The owner's jobs, newest first, and the cursor of the next page (empty: none). `failed`: only those with
        something that has failed. Raises `BadOption` for a cursor that is none."""
        query = select(Job).where(Job.owner == owner)
        if failed:
            failures = select(JobItem.id).where(JobItem.job_id == Job.id, JobItem.state == FAILED)
            query = query.where(Job.state.in_((FAILED, FINISHED)), failures.exists())
        if cursor:
            at, last = _read_cursor(cursor)
            query = query.where(or_(Job.created_at < at, and_(Job.created_at == at, Job.id < last)))
        with self._database.session() as session:
            jobs = list(session.scalars(query.order_by(Job.created_at.desc(), Job.id.desc()).limit(limit + 1)))
            more, jobs = len(jobs) > limit, jobs[:limit]
            of_these = select(JobItem).where(JobItem.job_id.in_([job.id for job in jobs]))
            items: dict[str, list[JobItem]] = {job.id: [] for job in jobs}
            for item in session.scalars(of_these.order_by(JobItem.job_id, JobItem.position)):
                items[item.job_id].append(item)
        reports = [Report(job, items[job.id], None) for job in jobs]
        return reports, _cursor(jobs[-1]) if more else ""


def _cursor(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at.isoformat()} {job.id}".encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[datetime, str]:
    try:
        at, last = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode("ascii").split(" ")
        moment = datetime.fromisoformat(at)
    except (ValueError, binascii.Error) as exc:
        raise BadOption("cursor", text[:100], "next_cursor of the page before") from exc
    if moment.tzinfo is None:
        raise BadOption("cursor", text[:100], "next_cursor of the page before")
    return moment, last
