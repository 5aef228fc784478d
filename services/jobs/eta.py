"""How long a job may take: what lies before it in the queue and its own images, at the speed of the last ones."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from services.jobs.tables import ACTIVE, FINISHED, STARTED, Job, JobItem

RECENT: Final = 50  # items by which the present speed is told
FIRST_GUESS_SECONDS: Final = 2.0
FRESH_SECONDS: Final = 1.0  # what is the same for all who ask is looked up no more often


@dataclass(frozen=True)
class Traffic:
    """What all workers are at: `seconds` that an image takes, and since when and for whom items are on their way."""

    seconds: float
    workers: int
    on_their_way: Sequence[tuple[datetime, str]]
    until: float


class Eta:
    """One process's guesses."""

    def __init__(self) -> None:
        self._traffic: Traffic | None = None

    def seconds(self, session: Session, job: Job, items: Sequence[JobItem]) -> float:
        """Seconds until the job may be done.

        Before it are its caller's older items, and of other callers those that are on their way: what they have waiting
        in the records comes in turn with this caller's.
        """
        traffic = self._traffic
        if traffic is None or time.monotonic() > traffic.until:
            self._traffic = traffic = _traffic(session)
        own = (JobItem.caller == job.caller, JobItem.state.in_(ACTIVE), JobItem.created_at < job.created_at)
        before = session.scalar(select(func.count()).where(*own)) or 0
        before += sum(caller != job.caller and at < job.created_at for at, caller in traffic.on_their_way)
        left = sum(item.state in ACTIVE for item in items)
        return round((before + left) * traffic.seconds / max(1, traffic.workers), 1)


def _traffic(session: Session) -> Traffic:
    done = select(JobItem.started_at, JobItem.finished_at).where(JobItem.state == FINISHED)
    recent = session.execute(done.order_by(JobItem.finished_at.desc()).limit(RECENT)).all()
    spans = [(end - start).total_seconds() for start, end in recent if start and end]
    sent = or_(JobItem.state == STARTED, JobItem.queued_at.is_not(None))
    active = select(JobItem.created_at, JobItem.caller, JobItem.state).where(JobItem.state.in_(ACTIVE), sent)
    on_their_way = session.execute(active).all()
    return Traffic(
        sum(spans) / len(spans) if spans else FIRST_GUESS_SECONDS,
        sum(state == STARTED for _, _, state in on_their_way),
        [(at, caller) for at, caller, _ in on_their_way],
        time.monotonic() + FRESH_SECONDS,
    )
