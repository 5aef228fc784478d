"""The same work asked for again while it is under way is done once: clients send an image again when they have waited
long enough, and a server that is slow must not get three times the work for it.

In one process: two workers may each do it once. Nothing is kept once everybody has got the result.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Generic, TypeVar

from services.capacity.deadline import Deadline
from services.errors import ClientGone, ServiceError

# How often who waits looks at its own deadline and for its own caller.
LOOK_SECONDS: Final = 0.25
# A client that gives up closes its connection, and comes back on a new one.
GRACE_SECONDS: Final = 2.0

T = TypeVar("T")


class _Flight(Generic[T]):
    """One piece of work under way, and how many wait for it beside the one that does it."""

    def __init__(self, deadline: Deadline) -> None:
        self.done = threading.Event()
        self.followers = 0
        self.result: T | None = None
        self.error: BaseException | None = None
        self._deadline = deadline
        self._alone_since: float | None = None

    def abandoned(self) -> bool:
        """Whether nobody has waited for it for a while: neither a follower nor the caller that it was begun for."""
        if self.followers or not self._deadline.gone():
            self._alone_since = None
            return False
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        return now - self._alone_since > GRACE_SECONDS


class Coalescer(Generic[T]):
    """Runs work by key, each key once at a time. `place` is held by whoever waits for another's result; it bounds
    how many do, by raising."""

    def __init__(self, place: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._place = place
        self._flights: dict[str, _Flight[T]] = {}
        self._changed = threading.Lock()

    def run(self, key: str, deadline: Deadline, work: Callable[[Deadline], T]) -> tuple[T, bool]:
        """The work's result, and whether it is that of an earlier caller.

        `work` gets the deadline to keep: the first caller's, which goes on when that one has left but others wait. Its
        errors are everybody's; a follower also meets its own `DeadlineExceeded` or `ClientGone`, and the place's error.
        """
        while True:
            with self._changed:
                flight = self._flights.get(key)
                if flight is None:
                    flight = self._flights[key] = _Flight(deadline)
                    break
                flight.followers += 1
            followed = self._follow(flight, deadline)
            if followed is not None:
                return followed, True
        return self._lead(key, flight, deadline, work), False

    def _lead(self, key: str, flight: _Flight[T], deadline: Deadline, work: Callable[[Deadline], T]) -> T:
        try:
            flight.result = work(Deadline(deadline.seconds, flight.abandoned, deadline.started))
        except BaseException as exc:
            flight.error = exc
            raise
        finally:
            with self._changed:
                del self._flights[key]
            flight.done.set()
        return flight.result

    def _follow(self, flight: _Flight[T], deadline: Deadline) -> T | None:
        """The flight's result; None where it was abandoned in the moment before this follower came."""
        try:
            with self._place():
                while not flight.done.wait(LOOK_SECONDS):
                    deadline.check()
        finally:
            with self._changed:
                flight.followers -= 1
        if isinstance(flight.error, ServiceError) and not isinstance(flight.error, ClientGone):
            raise flight.error
        return flight.result
