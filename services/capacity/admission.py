"""Limits what one process works on at a time: running and waiting images, their megapixels, bytes of request bodies."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from services.capacity.deadline import Deadline, Stopwatch
from services.errors import Busy, DeadlineExceeded

# How often a waiter re-checks its deadline and its client.
POLL_SECONDS: Final = 0.25


class Admission:
    """Admits `running` images at a time, `megapixels` in all; `waiting` more queue up, first come first served.

    A single image is always admitted, whatever its size: `MAX_IMAGE_PIXELS` bounds it.
    """

    def __init__(
        self,
        running: int,
        waiting: int,
        megapixels: float = math.inf,
        on_change: Callable[[int, int], None] = lambda _running, _waiting: None,
    ) -> None:
        self._limit = running
        self._max_waiting = waiting
        self._max_megapixels = megapixels
        self._on_change = on_change
        self._running = 0
        self._megapixels = 0.0
        self._queue: deque[object] = deque()
        self._onlookers = 0
        self._changed = threading.Condition()
        self._mean_seconds = 1.0

    @contextmanager
    def slot(self, megapixels: float, watch: Stopwatch) -> Iterator[None]:
        """Hold a place while an image is worked on; the time spent waiting is the step "queue".

        Raises `Busy` immediately, with an estimate in `retry_after`, when the queue is full; while waiting,
        `DeadlineExceeded` when the deadline comes first, and `ClientGone`.
        """
        with watch.step("queue"):
            self._enter(megapixels, watch.deadline)
        start = time.monotonic()
        try:
            yield
        finally:
            self._leave(megapixels, time.monotonic() - start)

    @contextmanager
    def onlooker(self) -> Iterator[None]:
        """Hold a place in the queue without running: for a caller that waits for another's result. Raises `Busy`."""
        with self._changed:
            if self._waiting() >= self._max_waiting:
                raise self._busy()
            self._onlookers += 1
        try:
            yield
        finally:
            with self._changed:
                self._onlookers -= 1

    def refuse_when_full(self) -> None:
        """Raise `Busy` when there is no place even to wait: before an upload is read for nothing."""
        with self._changed:
            if self._running and self._waiting() >= self._max_waiting and not self._fits(0.0):
                raise self._busy()

    def _enter(self, megapixels: float, deadline: Deadline) -> None:
        ticket = object()
        with self._changed:
            if self._queue or not self._fits(megapixels):
                if self._waiting() >= self._max_waiting:
                    raise self._busy()
                self._wait(ticket, megapixels, deadline)
            self._running += 1
            self._megapixels += megapixels
            self._on_change(self._running, len(self._queue))

    def _wait(self, ticket: object, megapixels: float, deadline: Deadline) -> None:
        self._queue.append(ticket)
        self._on_change(self._running, len(self._queue))
        try:
            while self._queue[0] is not ticket or not self._fits(megapixels):
                if deadline.remaining() == 0.0:
                    raise DeadlineExceeded(f"still waiting after {deadline.seconds:g} s", "", self._retry_after())
                deadline.check()
                self._changed.wait(min(POLL_SECONDS, deadline.remaining() or POLL_SECONDS))
        finally:
            self._queue.remove(ticket)
            self._on_change(self._running, len(self._queue))
            self._changed.notify_all()  # the next in the queue may fit

    def _waiting(self) -> int:
        return len(self._queue) + self._onlookers

    def _fits(self, megapixels: float) -> bool:
        if self._running == 0:
            return True
        return self._running < self._limit and self._megapixels + megapixels <= self._max_megapixels

    def _leave(self, megapixels: float, seconds: float) -> None:
        with self._changed:
            self._running -= 1
            self._megapixels -= megapixels
            self._mean_seconds += 0.2 * (seconds - self._mean_seconds)
            self._on_change(self._running, len(self._queue))
            self._changed.notify_all()

    def _busy(self) -> Busy:
        return Busy(f"{self._running} images run and {self._waiting()} wait", "", self._retry_after())

    def _retry_after(self) -> int:
        """Return the seconds until the present queue is done, 1 to 60."""
        ahead = len(self._queue) + self._running
        return max(1, min(60, math.ceil(ahead * self._mean_seconds / self._limit)))


class Bodies:
    """The bytes that request bodies hold in one process: at most `limit`, but a single body is always admitted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._changed = threading.Lock()

    def take(self, size: int, held: int = 0) -> None:
        """Count a body before it is read, or more of one that holds `held` already.

        Raises `Busy` immediately when there is no space: a caller can't wait for it.
        """
        with self._changed:
            if self._held > held and self._held + size > self._limit:
                raise Busy(f"uploads of {self._held >> 20} MiB are being worked on, and there is no memory for more")
            self._held += size

    def give_back(self, size: int) -> None:
        with self._changed:
            self._held -= size
