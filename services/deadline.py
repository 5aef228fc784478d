"""A point in time by which a request must be answered, and the stopwatch of its steps."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.errors import DeadlineExceeded


@dataclass(frozen=True)
class Deadline:
    """`seconds` from now; checked between steps. None: no deadline (the command line)."""

    seconds: float | None = None
    started: float = field(default_factory=time.monotonic)

    def remaining(self) -> float | None:
        """Seconds left, at least 0; None without a deadline."""
        return None if self.seconds is None else max(0.0, self.started + self.seconds - time.monotonic())

    def check(self) -> None:
        """Raises `DeadlineExceeded` when no time is left."""
        if self.remaining() == 0.0:
            raise DeadlineExceeded(f"not done after {self.seconds:g} s")


@dataclass
class Stopwatch:
    """Milliseconds of each step of one removal, in the order they ran; checks the deadline before each."""

    deadline: Deadline
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.deadline.check()
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + (time.perf_counter() - start) * 1000
