"""How often an item is tried, and how long to wait before the next time."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

JITTER: Final = 0.25  # those that failed together must not come back together


@dataclass(frozen=True)
class Retries:
    """At most `maximum` retries after the first try; `intervals` in seconds, the last one for all that follow."""

    maximum: int
    intervals: Sequence[float]

    def delay(self, attempts: int) -> float | None:
        """Seconds to wait after so many attempts, a random part of them more; None when none is left."""
        if attempts > self.maximum:
            return None
        interval = self.intervals[min(attempts, len(self.intervals)) - 1]
        return interval * (1 + random.uniform(0, JITTER))  # noqa: S311 - no secret
