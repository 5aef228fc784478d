"""The deadline of a request, and the stopwatch of its steps."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.errors import ClientGone, DeadlineExceeded
from services.observability.tracing import span


@dataclass(frozen=True)
class Deadline:
    """A deadline `seconds` after `started`, checked between steps; None: no deadline (the command line).

    `gone` returns whether the caller has closed the connection: then the work is useless.
    """

    seconds: float | None = None
    gone: Callable[[], bool] = lambda: False
    started: float = field(default_factory=time.monotonic)

    def remaining(self) -> float | None:
        """Return the seconds left, at least 0; None without a deadline."""
        return None if self.seconds is None else max(0.0, self.started + self.seconds - time.monotonic())

    def check(self) -> None:
        """Raise `DeadlineExceeded` when no time is left, and `ClientGone` when the caller has gone."""
        if self.remaining() == 0.0:
            raise DeadlineExceeded(f"not done after {self.seconds:g} s")
        if self.gone():
            raise ClientGone("the connection was closed")


@dataclass
class Stopwatch:
    """Measures the milliseconds of each step, in order, with a span for each; checks the deadline before each and calls
    `on_step` with its name.
    """

    deadline: Deadline
    on_step: Callable[[str], None] = lambda _name: None
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.deadline.check()
        self.on_step(name)
        start = time.perf_counter()
        try:
            with span(name):
                yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + (time.perf_counter() - start) * 1000
