"""Asks slow parts of the service questions, each for a bounded time: a part that fails does not delay the others."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from services.observability.background_check import BackgroundCheck

# How long a caller waits for all questions together: they are asked at the same time.
WAIT_SECONDS: Final = 0.5
# An answer of this age no longer counts.
STALE_SECONDS: Final = 120.0
NO_ANSWER: Final = "no answer yet"
T = TypeVar("T")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a part has answered, in how many milliseconds and how many seconds ago; or its `problem`."""

    value: T | None = None
    problem: str = ""
    milliseconds: float = 0.0
    age: float = 0.0


class Question(Generic[T]):
    """A question to one part. An answer is valid for `keep` seconds; at most one thread hangs in a part."""

    def __init__(self, ask: Callable[[], T], keep: float, wait_seconds: float = WAIT_SECONDS) -> None:
        """`ask` may block, and raise whatever it likes."""
        self._ask = ask
        self._check: BackgroundCheck[Answer[T]] = BackgroundCheck(
            self._timed, Answer(problem=NO_ANSWER), keep, wait_seconds
        )

    def begin(self) -> None:
        """Ask in the background."""
        self._check.begin()

    def answer(self) -> Answer[T]:
        """Return the newest answer, `wait_seconds` after `begin` at the latest."""
        found, age = self._check.latest()
        if found.value is not None and age > STALE_SECONDS:
            return Answer(problem=f"no answer for {age:.0f} s")
        return Answer(found.value, found.problem, found.milliseconds, age)

    def _timed(self) -> Answer[T]:
        start = time.perf_counter()
        try:
            value = self._ask()
        except Exception as exc:  # noqa: BLE001 - whatever it is, the part can't be used
            return Answer(problem=getattr(exc, "details", "") or type(exc).__name__)
        return Answer(value, milliseconds=(time.perf_counter() - start) * 1000)
