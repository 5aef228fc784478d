"""In-process caches: `TtlCache` makes its values itself and bounds their age, `LruCache` bounds their number."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class TtlCache(Generic[T]):
    """Values by key, each valid for `seconds`.

    While one caller refreshes a value, the others get the stale one, if it is not older than twice that.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        # By key: when the value was made, and the value.
        self._kept: dict[Hashable, tuple[float, T]] = {}

    def get_or_make(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the cached value of this key, or the new one that `make` returns."""
        now = self._clock()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and now - kept[0] < 2 * self._seconds:
                if now - kept[0] < self._seconds:
                    return kept[1]
                self._kept[key] = now, kept[1]
        made = make()
        with self._lock:
            oldest = now - 2 * self._seconds
            self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > oldest}
            self._kept[key] = now, made
        return made


class LruCache(Generic[T]):
    """The values set last, at most `size` of them, each with the time it was valid at."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str, since: float) -> T | None:
        """Return the value if it was set at `since` or later."""
        found = self._values.get(name)
        return found[1] if found and found[0] >= since else None

    def set(self, name: str, value: T, at: float) -> None:
        """Store the value; a full cache drops the value set longest ago."""
        with self._lock:
            self._values[name] = (at, value)
            self._values.move_to_end(name)
            if len(self._values) > self._size:
                self._values.popitem(last=False)

    def drop(self, name: str) -> None:
        """Remove the value."""
        with self._lock:
            self._values.pop(name, None)

    def __len__(self) -> int:
        return len(self._values)
