"""The records of jobs, and every change of their state: each is one conditional UPDATE.

Whoever comes second (a second delivery, a worker whose lease has run out, a cancel after the end) changes no row, is
told so, and does nothing. Locks are always taken job first, then items, or one of them alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, case, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.jobs.tables import ACTIVE, CANCELLED, FAILED, FINISHED, QUEUED, STARTED, Job, JobItem
from services.persistence.database import Database


@dataclass(frozen=True)
class Claim:
    """An item that one worker may work on; `token` proves it, until the lease ends or somebody takes it away."""

    item: JobItem
    job: Job
    token: str


class Records:
    """The tables `jobs` and `job_items`. Every method is one transaction and raises `DatabaseUnavailable`."""

    def __init__(self, database: Database, *, result_seconds: float) -> None:
        """`result_seconds`: how long a job's files are kept after its end."""
        self.database = database
        self._result_seconds = result_seconds

    def add(self, job: Job, items: Sequence[JobItem]) -> bool:
        """Write down a new job. False when its caller has used its idempotency key already."""
        try:
            with self.database.session() as session:
                session.add(job)
                session.flush()
                session.add_all(items)
        except IntegrityError:
            return False
        return True

    def withdraw(self, job_id: str) -> bool:
        """Forget a job of which nothing is on its way. False: something is, and the job stays."""
        sent = exists().where(JobItem.job_id == job_id, or_(JobItem.state == STARTED, JobItem.queued_at.is_not(None)))
        with self.database.session() as session:  # its items go with it, by their foreign key
            return _changed(session, delete(Job).where(Job.id == job_id, ~sent))

    def remove(self, job_id: str) -> None:
        """Forget a job and its items."""
        with self.database.session() as session:
            session.execute(delete(JobItem).where(JobItem.job_id == job_id))
            session.execute(delete(Job).where(Job.id == job_id))

    # --- on the way to a worker ---

    def note_queued(self, item_id: str) -> bool:
        """A message for this item is about to be sent; false when somebody else sends one."""
        waiting = (JobItem.id == item_id, JobItem.state == QUEUED, JobItem.queued_at.is_(None))
        return self._change_item(*waiting, queued_at=_now())

    def note_not_queued(self, item_id: str) -> bool:
        """The message could not be sent."""
        return self._change_item(JobItem.id == item_id, JobItem.state == QUEUED, queued_at=None)

    def note_lost(self, item_id: str, seen: datetime) -> bool:
        """The message sent at `seen` is nowhere: another may be sent."""
        gone = (JobItem.id == item_id, JobItem.state == QUEUED, JobItem.queued_at == seen)
        return self._change_item(*gone, queued_at=None)

    def claim(self, item_id: str, token: str, lease_seconds: float) -> Claim | None:
        """The item, for the holder of `token` alone. None when it is not waiting (any more): done, cancelled, taken."""
        with self.database.session() as session:
            now = _now()  # not before: a first connection takes its time, and a lease must not be over when it begins
            won = _changed(
                session,
                update(JobItem)
                .where(
                    JobItem.id == item_id, JobItem.state == QUEUED, or_(JobItem.due_at.is_(None), JobItem.due_at <= now)
                )
                .values(
                    state=STARTED,
                    stage=None,
                    progress=0,
                    attempts=JobItem.attempts + 1,
                    started_at=now,
                    lease_owner=token,
                    lease_until=now + timedelta(seconds=lease_seconds),
                ),
            )
            item = session.get(JobItem, item_id) if won else None
            job = session.get(Job, item.job_id) if item else None
        if item is None or job is None:
            return None
        if job.state != QUEUED:  # an item before this one has begun it
            return Claim(item, job, token)
        with self.database.session() as session:
            begun = update(Job).where(Job.id == job.id, Job.state == QUEUED)
            session.execute(begun.values(state=STARTED, started_at=func.coalesce(Job.started_at, now)))
        return Claim(item, job, token)

    # --- the holder of a lease ---

    def renew(self, claim: Claim, lease_seconds: float, stage: str | None, progress: int) -> bool:
        """Hold the lease longer, and tell how far the work is. False: it is no longer this worker's."""
        until = _now() + timedelta(seconds=lease_seconds)
        return self._change_item(*_held(claim), lease_until=until, stage=stage, progress=progress)

    def finish(self, claim: Claim, result_key: str, result: dict[str, Any]) -> bool:
        """The result is stored. False: it is no longer this worker's to say."""
        done: dict[str, Any] = {"result_key": result_key, "result": result, "error_code": None, "error_details": None}
        return self._end_item(claim, FINISHED, {"stage": None, "progress": 100, **done})

    def fail(self, claim: Claim, code: str, details: str, *, if_late: bool = False) -> bool:
        """The item has failed for good. `if_late`: only if its lease has run out."""
        return self._end_item(claim, FAILED, {"error_code": code, "error_details": details}, if_late=if_late)

    def put_back(self, claim: Claim, code: str, details: str, seconds: float, *, if_late: bool = False) -> bool:
        """The item is to be tried again, in `seconds` at the earliest. `if_late`: only if its lease has run out."""
        due = _now() + timedelta(seconds=seconds)
        why = {"error_code": code, "error_details": details, "queued_at": None, "due_at": due}
        return self._change_item(*_held(claim, if_late), state=QUEUED, lease_owner=None, lease_until=None, **why)

    def is_cancelled(self, item_id: str) -> bool:
        with self.database.session() as session:
            return session.scalar(select(JobItem.state).where(JobItem.id == item_id)) == CANCELLED

    def close(self, job_id: str) -> bool:
        """End the job if none of its items is left to do: `finished` when any has a result, else `failed`."""
        now = _now()
        items = select(JobItem.id).where(JobItem.job_id == job_id)
        ended = (
            update(Job)
            .where(Job.id == job_id, Job.state.in_(ACTIVE), ~exists(items.where(JobItem.state.in_(ACTIVE))))
            .values(
                state=case((exists(items.where(JobItem.state == FINISHED)), FINISHED), else_=FAILED), **self._end(now)
            )
        )
        with self.database.session() as session:
            return _changed(session, ended)

    # --- the caller ---

    def cancel(self, job_id: str) -> bool:
        """End what is not done: nothing of it can be claimed or finished any more. False when all was done."""
        now = _now()
        with self.database.session() as session:
            active = update(Job).where(Job.id == job_id, Job.state.in_(ACTIVE))
            if not _changed(session, active.values(state=CANCELLED, **self._end(now))):
                return False
            items = update(JobItem).where(JobItem.job_id == job_id, JobItem.state.in_(ACTIVE))
            session.execute(items.values(state=CANCELLED, lease_owner=None, lease_until=None, finished_at=now))
        return True

    def retry(self, job_id: str) -> bool:
        """Begin a job's failed items anew, with all their attempts. False when there is none, or it is not over.

        What was refused when it was handed in was never tried and is not kept: it stays as it is."""
        failed = exists().where(*_tried_in_vain(job_id))
        with self.database.session() as session:
            kept = (Job.expires_at > _now(), Job.removed_at.is_(None))
            ended = update(Job).where(Job.id == job_id, Job.state.in_((FINISHED, FAILED)), failed, *kept)
            anew = {"finished_at": None, "expires_at": None, "callback_due_at": None, "callback_attempts": 0}
            if not _changed(session, ended.values(state=QUEUED, **anew)):
                return False
            items = update(JobItem).where(*_tried_in_vain(job_id))
            blank = dict.fromkeys(("stage", "error_code", "error_details", "queued_at", "due_at", "finished_at"))
            session.execute(items.values(state=QUEUED, attempts=0, progress=0, **blank))
        return True

    # --- the sweep ---

    def expired_claims(self, limit: int = 500) -> list[Claim]:
        """Items whose worker has not been heard of for its lease."""
        held = select(JobItem, Job).join(Job, Job.id == JobItem.job_id)
        late = held.where(JobItem.state == STARTED, JobItem.lease_until < _now()).limit(limit)
        with self.database.session() as session:
            return [Claim(item, job, item.lease_owner or "") for item, job in session.execute(late)]

    def queued_before(self, moment: datetime, limit: int = 1000) -> list[tuple[str, datetime]]:
        """Items that no worker has taken since their message was sent, before `moment`: ids, and when it was.

        The oldest first: those that only wait in a long queue can't hide the others for good."""
        late = select(JobItem.id, JobItem.queued_at).where(JobItem.state == QUEUED, JobItem.queued_at < moment)
        late = late.order_by(JobItem.queued_at)
        with self.database.session() as session:
            return [(found, at) for found, at in session.execute(late.limit(limit)) if at]

    def waiting_callers(self) -> list[str]:
        """Callers that have items to be sent on their way."""
        with self.database.session() as session:
            return list(session.scalars(_unsent(select(JobItem.caller)).distinct()))

    def in_flight(self, caller: str) -> dict[str, int]:
        """How many items of each of the caller's jobs are on their way or being worked on."""
        flying = select(JobItem.job_id, func.count()).where(JobItem.caller == caller, JobItem.state.in_(ACTIVE))
        flying = flying.where(or_(JobItem.state == STARTED, JobItem.queued_at.is_not(None)))
        with self.database.session() as session:
            return {row[0]: row[1] for row in session.execute(flying.group_by(JobItem.job_id))}

    def unsent(self, caller: str, without: Sequence[str], limit: int) -> list[tuple[str, str]]:
        """The caller's next items to be sent, the oldest first, none of the jobs `without`: (item, job)."""
        waiting = _unsent(select(JobItem.id, JobItem.job_id)).where(JobItem.caller == caller)
        waiting = waiting.where(JobItem.job_id.not_in(without)) if without else waiting
        ordered = waiting.order_by(JobItem.created_at, JobItem.job_id, JobItem.position).limit(limit)
        with self.database.session() as session:
            return [(found, job_id) for found, job_id in session.execute(ordered)]

    def unclosed(self, limit: int = 500) -> list[str]:
        """Jobs without an item left to do whose end nobody has noted."""
        left = exists().where(JobItem.job_id == Job.id, JobItem.state.in_(ACTIVE))
        with self.database.session() as session:
            return list(session.scalars(select(Job.id).where(Job.state.in_(ACTIVE), ~left).limit(limit)))

    def _end(self, now: datetime) -> dict[str, Any]:
        called = case((Job.callback_url.is_not(None), now), else_=None)
        expires = now + timedelta(seconds=self._result_seconds)
        return {"finished_at": now, "expires_at": expires, "callback_due_at": called}

    def _end_item(self, claim: Claim, state: str, values: dict[str, Any], *, if_late: bool = False) -> bool:
        over = {"state": state, "finished_at": _now(), "lease_owner": None, "lease_until": None}
        return self._change_item(*_held(claim, if_late), **over, **values)

    def _change_item(self, *conditions: Any, **values: Any) -> bool:
        with self.database.session() as session:
            return _changed(session, update(JobItem).where(*conditions).values(**values))


def _held(claim: Claim, if_late: bool = False) -> tuple[Any, ...]:
    late = (JobItem.lease_until < _now(),) if if_late else ()
    return JobItem.id == claim.item.id, JobItem.state == STARTED, JobItem.lease_owner == claim.token, *late


def _tried_in_vain(job_id: str) -> tuple[Any, ...]:
    return JobItem.job_id == job_id, JobItem.state == FAILED, JobItem.attempts > 0


def _unsent(query: Any) -> Any:
    due = or_(JobItem.due_at.is_(None), JobItem.due_at <= _now())
    return query.where(JobItem.state == QUEUED, JobItem.queued_at.is_(None), due)


def _changed(session: Session, statement: Any) -> bool:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return bool(result.rowcount)


def _now() -> datetime:
    return datetime.now(UTC)
