"""Decides whether an item is tried again: limits, delays, and errors that a retry can't fix."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import sqlalchemy as sa

from services.errors import all_errors
from services.jobs.tables import FAILED, Job, JobItem

# Items that failed together must not come back together.
JITTER: Final = 0.25


@dataclass(frozen=True)
class RetryPolicy:
    """At most `maximum` retries after the first attempt; `intervals` in seconds, the last one for all that follow."""

    maximum: int
    intervals: Sequence[float]

    def delay(self, attempts: int) -> float | None:
        """Return the seconds to wait after this many attempts, with jitter; None when no retry is left."""
        if attempts > self.maximum:
            return None
        interval = self.intervals[min(attempts, len(self.intervals)) - 1]
        return interval * (1 + random.uniform(0, JITTER))  # noqa: S311 - no secret


@cache
def lasting_codes() -> frozenset[str]:
    """Return the codes of errors that only the caller can fix: the same image with the same options fails again."""
    return frozenset(error.code for error in all_errors() if error.status < 500)


def retryable() -> sa.ColumnElement[bool]:
    """Fit failed items that may succeed. One without an attempt was refused at submission."""
    lasting = sa.func.coalesce(JobItem.error_code, "").in_(lasting_codes())
    return sa.and_(JobItem.state == FAILED, JobItem.attempts > 0, ~lasting)


def same_end(job: Job) -> tuple[sa.ColumnElement[bool], ...]:
    """Fit the job unless it was retried since: it has another end then, and another webhook."""
    return Job.id == job.id, Job.finished_at == job.finished_at
