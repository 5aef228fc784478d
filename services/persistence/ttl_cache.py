"""What was just made is told again, for a moment: whoever asks all the time must not cost what others need."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Values by key, each good for `seconds`. While one is made anew, others who ask are told the last one."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, T]] = {}  # since when

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of this key: the one of a moment ago, or what `make` returns."""
        now = self._clock()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                if now - kept[0] < self._seconds:
                    return kept[1]
                self._kept[key] = now, kept[1]
        made = make()
        with self._lock:
            oldest = now - 2 * self._seconds
            self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > oldest}
            self._kept[key] = now, made
        return made
