"""Estimates how long jobs take, from the workers' current speed and what waits before a job."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from services.jobs.tables import ACTIVE, FINISHED, STARTED, Job, JobItem

# The last finished items, whose mean time is the current speed.
SAMPLE_ITEMS: Final = 50
# An item that no worker has taken for this long: none is there, or all are starting.
UNTAKEN_SECONDS: Final = 5.0
# How long a process reuses the figures that are the same for all callers.
FRESH_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Traffic:
    """The load of all workers: mean seconds per item, workers busy, items in flight as (created at, caller).

    `seconds` is None before the first item was finished, and while no worker takes what is in the queue.
    """

    seconds: float | None
    workers: int
    in_flight: Sequence[tuple[datetime, str]]
    until: float


class Eta:
    """Estimates for one process's callers."""

    def __init__(self) -> None:
        self._traffic: Traffic | None = None

    def seconds(self, session: Session, job: Job, items: Sequence[JobItem]) -> float | None:
        """Estimate the seconds until the job ends; None where nothing is known.

        Its caller's older items come before it, and other callers' items that are in flight: items that other callers
        have waiting are sent in turn with this caller's.
        """
        traffic = self._traffic
        if traffic is None or time.monotonic() > traffic.until:
            self._traffic = traffic = _traffic(session)
        if traffic.seconds is None:
            return None
        own = (JobItem.caller == job.caller, JobItem.state.in_(ACTIVE), JobItem.created_at < job.created_at)
        before = session.scalar(select(func.count()).where(*own)) or 0
        before += sum(caller != job.caller and at < job.created_at for at, caller in traffic.in_flight)
        left = sum(item.state in ACTIVE for item in items)
        return round((before + left) * traffic.seconds / max(1, traffic.workers), 1)


def _traffic(session: Session) -> Traffic:
    done = select(JobItem.started_at, JobItem.finished_at).where(JobItem.state == FINISHED)
    sample = session.execute(done.order_by(JobItem.finished_at.desc()).limit(SAMPLE_ITEMS)).all()
    spans = [(end - start).total_seconds() for start, end in sample if start and end]
    sent = or_(JobItem.state == STARTED, JobItem.queued_at.is_not(None))
    active = select(JobItem.created_at, JobItem.caller, JobItem.state, JobItem.queued_at)
    in_flight = session.execute(active.where(JobItem.state.in_(ACTIVE), sent)).all()
    workers = sum(row.state == STARTED for row in in_flight)
    untaken = datetime.now(UTC) - timedelta(seconds=UNTAKEN_SECONDS)
    idle = not workers and any(row.queued_at < untaken for row in in_flight)
    return Traffic(
        seconds=sum(spans) / len(spans) if spans and not idle else None,
        workers=workers,
        in_flight=[(row.created_at, row.caller) for row in in_flight],
        until=time.monotonic() + FRESH_SECONDS,
    )
