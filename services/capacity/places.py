"""Bounds how many threads of one process do the same work at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from services.capacity.deadline import Deadline

# How often a waiter re-checks its deadline and its client.
POLL_SECONDS: Final = 0.25


class Places:
    """A number of places. Unlike `Admission` it weighs nothing and bounds no queue: the number of threads does that."""

    def __init__(self, limit: int) -> None:
        self._free = threading.BoundedSemaphore(limit)

    @contextmanager
    def hold(self, deadline: Deadline) -> Iterator[None]:
        """Hold a place; wait for one until the deadline. Raises `DeadlineExceeded`, `ClientGone`."""
        deadline.check()
        while not self._free.acquire(timeout=min(POLL_SECONDS, deadline.remaining() or POLL_SECONDS)):
            deadline.check()
        try:
            yield
        finally:
            self._free.release()
