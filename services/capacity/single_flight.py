"""Does the same work only once at a time: later callers with the same key wait for the first one's result.

Clients repeat a request when they have waited long enough; a slow server must not get three times the work for it. This
holds in one process: two workers may each do the work once. Nothing is kept after the last caller has its result.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Generic, TypeVar

from services.capacity.deadline import Deadline
from services.errors import ClientGone, ServiceError

# How often a follower re-checks its deadline and its client.
POLL_SECONDS: Final = 0.25
# A client that gives up closes its connection and comes back on a new one.
GRACE_SECONDS: Final = 2.0

T = TypeVar("T")


class _Flight(Generic[T]):
    """One running piece of work, and the number of callers that wait for it."""

    def __init__(self, deadline: Deadline) -> None:
        self.done = threading.Event()
        self.followers = 0
        self.result: T | None = None
        self.error: BaseException | None = None
        self._deadline = deadline
        self._alone_since: float | None = None

    def abandoned(self) -> bool:
        """Return whether nobody has waited for a while: neither a follower nor the caller that started the work."""
        if self.followers or not self._deadline.gone():
            self._alone_since = None
            return False
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        return now - self._alone_since > GRACE_SECONDS


class SingleFlight(Generic[T]):
    """Runs work by key, each key once at a time.

    `place` is held while a caller waits for another's result; it limits their number by raising.
    """

    def __init__(self, place: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._place = place
        self._flights: dict[str, _Flight[T]] = {}
        self._changed = threading.Lock()

    def run(self, key: str, deadline: Deadline, work: Callable[[Deadline], T]) -> tuple[T, bool]:
        """Return the work's result, and whether it comes from an earlier caller.

        `work` gets a deadline: the first caller's, which stays valid when that one leaves while others wait. Errors of
        the work reach every caller; a follower may also get its own `DeadlineExceeded` or `ClientGone`, or the place's
        error.
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
        """Return the flight's result; None where it was abandoned just before this follower came."""
        try:
            with self._place():
                while not flight.done.wait(POLL_SECONDS):
                    deadline.check()
        finally:
            with self._changed:
                flight.followers -= 1
        if isinstance(flight.error, ServiceError) and not isinstance(flight.error, ClientGone):
            raise flight.error
        return flight.result
