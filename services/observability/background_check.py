"""What takes an unknown time to find out, told at once: by a look now where that is quick, else by the last one."""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

LOOK_SECONDS: Final = 0.03
T = TypeVar("T")


class Probe(Generic[T]):
    """Asks in the background, one question at a time, and waits for it for a moment only; a slow answer is told by the
    next look, and an answer serves for `keep` seconds. So one thread hangs at most, and none is there before the first
    look (or a fork)."""

    def __init__(self, ask: Callable[[], T], first: T, keep: float, patience: float = LOOK_SECONDS) -> None:
        self._ask, self._keep, self._patience = ask, keep, patience
        self._changed = threading.Condition()
        self._asked: float | None = None  # when the question under way was asked
        self._found, self._found_at = first, time.monotonic()
        self._due = 0.0

    def look(self) -> tuple[T, float]:
        """The newest answer and its age in seconds. Takes `patience` seconds at most."""
        with self._changed:
            if self._asked is None:
                if time.monotonic() < self._due:
                    return self._found, time.monotonic() - self._found_at
                self._asked = time.monotonic()
                threading.Thread(target=self._run, daemon=True, name="probe").start()
            end = self._asked + self._patience
            while self._asked is not None and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            return self._found, time.monotonic() - self._found_at

    def _run(self) -> None:
        try:
            found = self._ask()
            with self._changed:
                self._found, self._found_at = found, time.monotonic()
        finally:
            with self._changed:
                self._asked, self._due = None, time.monotonic() + self._keep
                self._changed.notify_all()
