"""Runs a slow check in a background thread and returns its last result immediately."""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

WAIT_SECONDS: Final = 0.03
T = TypeVar("T")


class BackgroundCheck(Generic[T]):
    """Runs one check at a time in the background, and waits for it only for a moment.

    A slow answer is returned by a later call, and an answer is valid for `keep` seconds. So at most one thread hangs,
    and there is none before the first call (or a fork).
    """

    def __init__(self, ask: Callable[[], T], first: T, keep: float, wait_seconds: float = WAIT_SECONDS) -> None:
        self._ask, self._keep, self._wait_seconds = ask, keep, wait_seconds
        self._changed = threading.Condition()
        self._asked: float | None = None  # when the running check was started
        self._found, self._found_at = first, time.monotonic()
        self._due = 0.0

    def begin(self) -> None:
        """Start the check if its last answer is no longer valid. Waits for nothing."""
        with self._changed:
            self._begin()

    def latest(self) -> tuple[T, float]:
        """Return the newest answer and its age in seconds. Takes at most `wait_seconds` since the check was started."""
        with self._changed:
            self._begin()
            end = (self._asked or 0.0) + self._wait_seconds
            while self._asked is not None and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            return self._found, time.monotonic() - self._found_at

    def _begin(self) -> None:
        if self._asked is None and time.monotonic() >= self._due:
            self._asked = time.monotonic()
            threading.Thread(target=self._run, daemon=True, name="probe").start()

    def _run(self) -> None:
        try:
            found = self._ask()
            with self._changed:
                self._found, self._found_at = found, time.monotonic()
        finally:
            with self._changed:
                self._asked, self._due = None, time.monotonic() + self._keep
                self._changed.notify_all()
