"""Changes the records of jobs: each transition is one conditional UPDATE, and only this module makes them.

A writer that comes second (a second delivery, a worker with an expired lease, a cancel after the end) changes no row,
gets False, and does nothing. Locks are always taken job first, then items, or on one of them alone. The questions that
lead to a transition are in `pending.py` and `queries.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import CursorResult, case, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.api_keys.usage import JOBS_ENDPOINT, Counts, Slot, add_usage, today
from services.jobs.facts import ResultFacts
from services.jobs.retry import retryable, same_end
from services.jobs.tables import ACTIVE, CANCELLED, DELETED, ENDED, FAILED, FINISHED, QUEUED, STARTED, Job, JobItem
from services.persistence.database import Database


@dataclass(frozen=True)
class Claim:
    """An item that one worker may work on; `token` proves it until the lease ends or the item is taken away."""

    item: JobItem
    job: Job
    token: str


class JobStore:
    """The tables `jobs` and `job_items`. Every method is one transaction and raises `DatabaseUnavailable`."""

    def __init__(self, database: Database, *, result_seconds: float) -> None:
        """`result_seconds`: how long a job's files are kept after it ends."""
        self.database = database
        self._kept_for = timedelta(seconds=result_seconds)

    def add(self, job: Job, items: Sequence[JobItem]) -> bool:
        """Insert a new job. False when its caller has used its idempotency key already."""
        try:
            with self.database.session() as session:
                session.add(job)
                session.flush()
                session.add_all(items)
        except IntegrityError:
            return False
        return True

    def withdraw(self, job_id: str) -> bool:
        """Delete a job without items in flight; its items follow by their foreign key. False when one is in flight."""
        in_flight = exists().where(
            JobItem.job_id == job_id, or_(JobItem.state == STARTED, JobItem.queued_at.is_not(None))
        )
        return self._execute(delete(Job).where(Job.id == job_id, ~in_flight))

    def delete(self, job_id: str) -> None:
        """Delete a job; its items follow by their foreign key."""
        self._execute(delete(Job).where(Job.id == job_id))

    def mark_queued(self, item_id: str) -> bool:
        """Note that a message for this item is about to be sent. False when another process sends one."""
        waiting = (JobItem.id == item_id, JobItem.state == QUEUED, JobItem.queued_at.is_(None))
        return self._update_item(*waiting, queued_at=_now())

    def mark_unsent(self, item_id: str) -> bool:
        """Note that the item's message could not be sent: it waits as before."""
        return self._update_item(JobItem.id == item_id, JobItem.state == QUEUED, queued_at=None)

    def mark_message_lost(self, item_id: str, queued_at: datetime) -> bool:
        """Note that the message sent at `queued_at` is lost: another one may be sent."""
        lost = (JobItem.id == item_id, JobItem.state == QUEUED, JobItem.queued_at == queued_at)
        return self._update_item(*lost, queued_at=None)

    def claim(self, item_id: str, token: str, lease_seconds: float) -> Claim | None:
        """Claim the item for the holder of `token` alone. None when it is not waiting: done, cancelled, claimed."""
        with self.database.session() as session:
            # Read the clock only now: a first connection takes time, and the lease must not expire before it begins.
            now = _now()
            due = or_(JobItem.due_at.is_(None), JobItem.due_at <= now)
            waiting = update(JobItem).where(JobItem.id == item_id, JobItem.state == QUEUED, due)
            leased = {"lease_owner": token, "lease_until": now + timedelta(seconds=lease_seconds)}
            begun = {"stage": None, "progress": 0, "attempts": JobItem.attempts + 1, "started_at": now}
            won = _changed(session, waiting.values(state=STARTED, **begun, **leased))
            item = session.get(JobItem, item_id) if won else None
            job = session.get(Job, item.job_id) if item else None
        if item is None or job is None:
            return None
        # Any other state: an earlier item has started the job already.
        if job.state == QUEUED:
            queued = update(Job).where(Job.id == job.id, Job.state == QUEUED)
            self._execute(queued.values(state=STARTED, started_at=func.coalesce(Job.started_at, now)))
        return Claim(item, job, token)

    def renew(self, claim: Claim, lease_seconds: float, stage: str | None, progress: int) -> bool:
        """Extend the lease and record the progress. False when the item no longer belongs to this worker."""
        until = _now() + timedelta(seconds=lease_seconds)
        return self._update_item(*_held(claim), lease_until=until, stage=stage, progress=progress)

    def finish(self, claim: Claim, result_key: str, facts: ResultFacts) -> bool:
        """End the item with a stored result. False when it no longer belongs to this worker."""
        result = {"result_key": result_key, "result": facts, "error_code": None, "error_details": None}
        frames, megapixels = facts.frames, facts.original_width * facts.original_height / 1e6
        counts = Counts(images=frames, charged=frames, megapixels=frames * megapixels, bytes_in=facts.original_bytes)
        return self._end_item(claim, FINISHED, {"stage": None, "progress": 100, **result}, counts)

    def replace_result(self, item: JobItem, result_key: str, facts: ResultFacts) -> bool:
        """Give a finished item another result. False when another edit came first, or its files are not kept."""
        kept = exists().where(Job.id == item.job_id, Job.removed_at.is_(None))
        same = (JobItem.id == item.id, JobItem.state == FINISHED, JobItem.revision == item.revision, kept)
        return self._update_item(*same, result_key=result_key, result=facts, revision=JobItem.revision + 1)

    def fail(self, claim: Claim, code: str, details: str, *, if_late: bool = False) -> bool:
        """End the item as failed for good. `if_late`: only if its lease has expired."""
        why = {"error_code": code, "error_details": details}
        return self._end_item(claim, FAILED, why, Counts(failures=1), if_late=if_late)

    def requeue(self, claim: Claim, code: str, details: str, seconds: float, *, if_late: bool = False) -> bool:
        """Let the item be tried again, in `seconds` at the earliest. `if_late`: only if its lease has expired."""
        due = _now() + timedelta(seconds=seconds)
        why = {"error_code": code, "error_details": details, "queued_at": None, "due_at": due}
        return self._update_item(*_held(claim, if_late), state=QUEUED, lease_owner=None, lease_until=None, **why)

    def close(self, job_id: str) -> bool:
        """End the job if all its items have ended.

        It is `finished` when any of them has a result, else `failed` when any has failed, else `cancelled`.
        """
        items = select(JobItem.id).where(JobItem.job_id == job_id)
        left = exists(items.where(JobItem.state.in_(ACTIVE)))
        with self.database.connection() as connection:
            if connection.scalar(select(left)):
                return False
        state = case(*[(exists(items.where(JobItem.state == s)), s) for s in (FINISHED, FAILED)], else_=CANCELLED)
        with self.database.session() as session:
            job = update(Job).where(Job.id == job_id, Job.state.in_(ACTIVE))
            # Lock the job first: an UPDATE that waits for it would see, on PostgreSQL, its items as they were before.
            locked = _changed(session, job.values(state=Job.state))
            return locked and _changed(session, job.where(~left).values(state=state, **self._job_end(_now())))

    def cancel(self, job_id: str) -> bool:
        """End all items that have not ended: none of them can be claimed or finished any more. False when all had."""
        now, job = _now(), update(Job).where(Job.id == job_id, Job.state.in_(ACTIVE))
        with self.database.session() as session:
            if not _changed(session, job.values(state=CANCELLED, **self._job_end(now))):
                return False
            items = update(JobItem).where(JobItem.job_id == job_id, JobItem.state.in_(ACTIVE))
            session.execute(items.values(state=CANCELLED, lease_owner=None, lease_until=None, finished_at=now))
            return True

    def cancel_item(self, item_id: str) -> bool:
        """End an item that has not ended. False when it had; its job may have to be closed."""
        active = (JobItem.id == item_id, JobItem.state.in_(ACTIVE))
        return self._update_item(*active, state=CANCELLED, lease_owner=None, lease_until=None, finished_at=_now())

    def delete_item(self, item_id: str) -> bool:
        """End an item for good, whatever its state, without its result. False when it was deleted before."""
        ended = {"finished_at": func.coalesce(JobItem.finished_at, _now()), "lease_owner": None, "lease_until": None}
        gone = dict.fromkeys(("stage", "result_key", "result", "error_code", "error_details")) | {"original_bytes": 0}
        return self._update_item(JobItem.id == item_id, JobItem.state != DELETED, state=DELETED, **ended, **gone)

    def retry(self, job_id: str) -> bool:
        """Restart a job's failed items, with all their attempts. False when there is none, or the job has not ended.

        Items that would fail again stay failed, and those refused at submission: their images are not kept.
        """
        return self._restart(job_id, (FINISHED, FAILED), JobItem.job_id == job_id, retryable())

    def retry_item(self, item: JobItem) -> bool:
        """Restart a cancelled item, or a failed one as `retry` does, whether or not its job has ended."""
        again = or_(JobItem.state == CANCELLED, retryable())
        return self._restart(item.job_id, (*ACTIVE, *ENDED), JobItem.id == item.id, again)

    def _restart(self, job_id: str, states: Sequence[str], *items: sa.ColumnElement[bool]) -> bool:
        """Queue the items that fit, of a job in one of these states whose files are kept. False when there is none."""
        kept = (or_(Job.expires_at.is_(None), Job.expires_at > _now()), Job.removed_at.is_(None))
        reset_job = {"finished_at": None, "expires_at": None, "callback_due_at": None, "callback_attempts": 0}
        reset_item = dict.fromkeys(("stage", "error_code", "error_details", "queued_at", "due_at", "finished_at"))
        state = case((Job.state.in_(ACTIVE), Job.state), else_=QUEUED)
        with self.database.session() as session:
            job = update(Job).where(Job.id == job_id, Job.state.in_(states), exists().where(*items), *kept)
            if not _changed(session, job.values(state=state, **reset_job)):
                return False
            again = update(JobItem).where(*items).values(state=QUEUED, attempts=0, progress=0, **reset_item)
            return _changed(session, again)

    def mark_erased(self, job_id: str) -> None:
        """Note that a job is being deleted: no webhook follows, and no result is replaced any more."""
        no_more = {"callback_url": None, "callback_due_at": None}
        self._execute(update(Job).where(Job.id == job_id).values(removed_at=_now(), **no_more))

    def mark_files_removed(self, job_id: str) -> bool:
        """Note that the files of an expired job were deleted. False when another process has noted it."""
        expired = (Job.state.in_(ENDED), Job.expires_at < _now(), Job.removed_at.is_(None))
        return self._execute(update(Job).where(Job.id == job_id, *expired).values(removed_at=_now()))

    def begin_webhook_attempt(self, job: Job, next_due: datetime | None) -> bool:
        """Count an attempt before it is made, with the time of the next one: a crash in between costs one attempt.

        False when another process makes this attempt.
        """
        mine = (Job.callback_attempts == job.callback_attempts, Job.callback_due_at.is_not(None))
        counted = {"callback_attempts": job.callback_attempts + 1, "callback_due_at": next_due}
        return self._execute(update(Job).where(*same_end(job), *mine).values(counted))

    def mark_webhook_sent(self, job: Job, outcome: str, *, delivered: bool) -> bool:
        """Record the outcome of the attempt begun for `job`; no other follows one that was delivered."""
        attempted = update(Job).where(*same_end(job), Job.callback_attempts == job.callback_attempts + 1)
        no_more = {"callback_due_at": None} if delivered else {}
        return self._execute(attempted.values(callback_status=outcome, **no_more))

    def _job_end(self, now: datetime) -> dict[str, object]:
        called = case((Job.callback_url.is_not(None), now), else_=None)
        return {"finished_at": now, "expires_at": now + self._kept_for, "callback_due_at": called}

    def _end_item(
        self, claim: Claim, state: str, values: Mapping[str, object], counts: Counts, *, if_late: bool = False
    ) -> bool:
        """End the item and count the usage of its key in the same transaction: exactly once."""
        ended = {"state": state, "finished_at": _now(), "lease_owner": None, "lease_until": None}
        with self.database.session() as session:
            if not _changed(session, update(JobItem).where(*_held(claim, if_late)).values({**ended, **values})):
                return False
            if claim.job.owner:
                add_usage(session, {Slot(claim.job.owner, today(), JOBS_ENDPOINT): counts})
        return True

    def _update_item(self, *conditions: sa.ColumnElement[bool], **values: object) -> bool:
        return self._execute(update(JobItem).where(*conditions).values(values))

    def _execute(self, statement: sa.Update | sa.Delete) -> bool:
        with self.database.session() as session:
            return _changed(session, statement)


def _held(claim: Claim, if_late: bool = False) -> tuple[sa.ColumnElement[bool], ...]:
    late = (JobItem.lease_until < _now(),) if if_late else ()
    return JobItem.id == claim.item.id, JobItem.state == STARTED, JobItem.lease_owner == claim.token, *late


def _changed(session: Session, statement: sa.Update | sa.Delete) -> bool:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return bool(result.rowcount)


def _now() -> datetime:
    return datetime.now(UTC)
