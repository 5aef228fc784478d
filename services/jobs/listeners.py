"""Bounds how many callers listen to events in one process: in all, and each."""

import threading
from collections import Counter

from services.errors import Busy


class Listeners:
    """Places for event streams. One caller holds at most half of them, rounded down, but at least one."""

    def __init__(self, places: int) -> None:
        self._places, self._share = places, max(1, places // 2)
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, caller: str) -> None:
        """Take a place for this caller; `leave` gives it back. Raises `Busy`."""
        with self._lock:
            if self._held[caller] >= self._share:
                raise Busy(f"you are listening to {self._held[caller]} jobs; allowed: {self._share}. Poll the others")
            if self._held.total() >= self._places:
                raise Busy("too many callers are listening to events; poll the status instead")
            self._held[caller] += 1

    def leave(self, caller: str) -> None:
        """Give back a place of this caller."""
        with self._lock:
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]
