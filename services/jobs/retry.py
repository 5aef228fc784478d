"""Limits how often an item is tried and computes the delay before the next attempt."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

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
