"""Finds work that waits in the records: items to send, expired leases, jobs to close, webhooks due, files to delete.

Read-only. The dispatcher, recovery, retention and webhooks ask here and then change a record through `JobStore`, whose
conditional UPDATE decides whether the answer still holds.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select

from services.jobs.store import Claim
from services.jobs.tables import ACTIVE, CANCELLED, DELETED, ENDED, QUEUED, STARTED, Job, JobItem
from services.persistence.database import Database


@dataclass(frozen=True)
class Backlog:
    """Images that have not ended: `unsent` wait for their turn, `queued` for any worker, `started` are at one.

    `oldest_seconds` is the age of the oldest image that could be tried and is not.
    """

    unsent: int = 0
    queued: int = 0
    started: int = 0
    oldest_seconds: float = 0.0
    webhooks_due: int = 0


class PendingWork:
    """Questions of background processes to the records. Every method raises `DatabaseUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting_callers(self) -> list[str]:
        """Return the callers that have items to send."""
        with self._database.session() as session:
            return list(session.scalars(select(JobItem.caller).where(*_unsent()).distinct()))

    def in_flight(self, caller: str) -> dict[str, int]:
        """Count the items in the queue or at a worker, for each of the caller's jobs."""
        counts = select(JobItem.job_id, func.count()).where(JobItem.caller == caller, JobItem.state.in_(ACTIVE))
        counts = counts.where(or_(JobItem.state == STARTED, JobItem.queued_at.is_not(None)))
        with self._database.session() as session:
            return {row[0]: row[1] for row in session.execute(counts.group_by(JobItem.job_id))}

    def unsent(self, caller: str, without: Sequence[str], limit: int) -> list[tuple[str, str]]:
        """Return the caller's next items to send as (item id, job id), oldest first, without the jobs `without`."""
        waiting = select(JobItem.id, JobItem.job_id).where(JobItem.caller == caller, *_unsent())
        waiting = waiting.where(JobItem.job_id.not_in(without)) if without else waiting
        ordered = waiting.order_by(JobItem.created_at, JobItem.job_id, JobItem.position).limit(limit)
        with self._database.session() as session:
            return [(item_id, job_id) for item_id, job_id in session.execute(ordered)]

    def queued_before(self, moment: datetime, limit: int = 1000) -> list[tuple[str, datetime]]:
        """Return items whose message was sent before `moment` and not taken: (item id, time sent), oldest first.

        Oldest first, so that items that merely wait in a long queue can't hide lost messages for good.
        """
        late = select(JobItem.id, JobItem.queued_at).where(JobItem.state == QUEUED, JobItem.queued_at < moment)
        late = late.order_by(JobItem.queued_at)
        with self._database.session() as session:
            return [(item_id, at) for item_id, at in session.execute(late.limit(limit)) if at]

    def expired_claims(self, limit: int = 500) -> list[Claim]:
        """Return claims whose lease has expired: their workers have not renewed them."""
        held = select(JobItem, Job).join(Job, Job.id == JobItem.job_id)
        late = held.where(JobItem.state == STARTED, JobItem.lease_until < _now()).limit(limit)
        with self._database.session() as session:
            return [Claim(item, job, item.lease_owner or "") for item, job in session.execute(late)]

    def unclosed(self, limit: int = 500) -> list[str]:
        """Return the ids of jobs that are not closed although all their items have ended."""
        left = exists().where(JobItem.job_id == Job.id, JobItem.state.in_(ACTIVE))
        return self._job_ids(select(Job.id).where(Job.state.in_(ACTIVE), ~left).limit(limit))

    def due_webhook(self, callers: Collection[str] = (), origins: Collection[str] = ()) -> Job | None:
        """Return the job whose webhook attempt has been due for longest, without those of `callers` and `origins`.

        `origins` are the beginnings of callback URLs: scheme, host, port and a slash.
        """
        due = select(Job).where(Job.callback_due_at <= _now(), Job.caller.not_in(list(callers)))
        due = due.where(*[~Job.callback_url.startswith(origin, autoescape=True) for origin in origins])
        with self._database.session() as session:
            return session.scalar(due.order_by(Job.callback_due_at).limit(1))

    def jobs_of(self, owner: str, limit: int) -> list[str]:
        """Return the ids of jobs of a key or a user."""
        return self._job_ids(select(Job.id).where(Job.owner == owner).limit(limit))

    def expired_jobs(self, limit: int) -> list[str]:
        """Return the ids of expired jobs whose files are not deleted yet."""
        expired = select(Job.id).where(Job.state.in_(ENDED), Job.expires_at < _now(), Job.removed_at.is_(None))
        return self._job_ids(expired.limit(limit))

    def old_records(self, before: datetime, limit: int) -> list[str]:
        """Return the ids of jobs without files that expired before this moment."""
        return self._job_ids(select(Job.id).where(Job.removed_at.is_not(None), Job.expires_at < before).limit(limit))

    def jobs_with_files(self, job_ids: Collection[str]) -> set[str]:
        """Return those of the ids that belong to a job whose files are kept."""
        return set(self._job_ids(select(Job.id).where(Job.id.in_(job_ids), Job.removed_at.is_(None))))

    def is_unwanted(self, item_id: str) -> bool:
        """Return whether the item was cancelled, or deleted alone or with its job."""
        with self._database.session() as session:
            return session.scalar(select(JobItem.state).where(JobItem.id == item_id)) in (CANCELLED, DELETED, None)

    def all_deleted(self, job_id: str) -> bool:
        """Return whether all items of a job were deleted."""
        with self._database.session() as session:
            return not session.scalar(select(exists().where(JobItem.job_id == job_id, JobItem.state != DELETED)))

    def backlog(self) -> Backlog:
        """Count what has not ended."""
        # Without a file there is no job yet, and a question must not create the file.
        if not self._database.exists():
            return Backlog()
        now = datetime.now(UTC)
        ready = and_(JobItem.state == QUEUED, or_(JobItem.due_at.is_(None), JobItem.due_at <= now))
        unsent = JobItem.queued_at.is_(None)
        active = select(JobItem.state, unsent, func.count(), func.min(case((ready, JobItem.created_at))))
        with self._database.session() as session:
            grouped = active.where(JobItem.state.in_(ACTIVE)).group_by(JobItem.state, unsent)
            rows = session.execute(grouped).all()
            due = session.scalar(select(func.count()).where(Job.callback_due_at.is_not(None))) or 0
        first = min((at for *_, at in rows if at), default=now)
        return Backlog(
            unsent=sum(count for state, no_message, count, _ in rows if state == QUEUED and no_message),
            queued=sum(count for state, no_message, count, _ in rows if state == QUEUED and not no_message),
            started=sum(count for state, _, count, _ in rows if state == STARTED),
            oldest_seconds=max(0.0, (now - first).total_seconds()),
            webhooks_due=due,
        )

    def _job_ids(self, query: Select[str]) -> list[str]:
        with self._database.session() as session:
            return list(session.scalars(query))


def _unsent() -> tuple[ColumnElement[bool], ...]:
    due = or_(JobItem.due_at.is_(None), JobItem.due_at <= _now())
    return JobItem.state == QUEUED, JobItem.queued_at.is_(None), due


def _now() -> datetime:
    return datetime.now(UTC)
