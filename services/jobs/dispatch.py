"""Sends waiting items to the queue, a limited number per job and per caller, so that no caller's batch delays another.

Items that are not sent yet wait in the records. A worker that ends an item sends its caller's next one; recovery sends
the items that are left. Two processes that send at the same time may exceed a limit by one or two: that is harmless.
"""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from services.errors import DatabaseUnavailable
from services.jobs.errors import QueueUnavailable
from services.jobs.pending import PendingWork
from services.jobs.queue import Queue
from services.jobs.store import JobStore
from services.jobs.tables import QUEUED, JobItem

# The in-flight limit per caller, as a multiple of the limit per job.
CALLER_SHARE: Final = 2


class Dispatcher:
    """Sends items to the queue, at most `per_job` of a job in flight: in the queue or at a worker."""

    def __init__(self, store: JobStore, queue: Queue, per_job: int) -> None:
        self._store, self._queue, self._per_job = store, queue, per_job
        self._pending = PendingWork(store.database)

    def check_queue(self) -> None:
        """Ping the broker. Raises `QueueUnavailable`."""
        self._queue.check()

    def mark_first(self, items: Sequence[JobItem], in_flight: int) -> list[str]:
        """Mark the items of a new job that may be sent now, with `in_flight` items of its caller; return their ids.

        Marks the objects only, before they are inserted: that saves a submission most queries of `send_next`.
        """
        free = min(self._per_job, CALLER_SHARE * self._per_job - in_flight)
        first = [item for item in items if item.state == QUEUED][: max(0, free)]
        now = datetime.now(UTC)
        for item in first:
            item.queued_at = now
        return [item.id for item in first]

    def send_marked(self, item_ids: Sequence[str]) -> None:
        """Send the items that `mark_first` marked. Raises `QueueUnavailable`; items not sent then wait as before.

        After a crash in between, recovery treats the items not sent as lost messages.
        """
        for number, item_id in enumerate(item_ids):
            try:
                self._queue.send(item_id)
            except QueueUnavailable:
                for left in item_ids[number:]:
                    self._store.mark_unsent(left)
                raise

    def send_next(self, caller: str) -> int:
        """Send the caller's items up to the limits and return their number. Raises `QueueUnavailable`; items not sent
        then wait as before."""
        in_flight = self._pending.in_flight(caller)
        free = CALLER_SHARE * self._per_job - sum(in_flight.values())
        sent = 0
        while (asked := free) > 0:
            full = [job_id for job_id, count in in_flight.items() if count >= self._per_job]
            found = self._pending.unsent(caller, full, asked)
            for item_id, job_id in found:
                if in_flight.get(job_id, 0) >= self._per_job:
                    continue
                in_flight[job_id] = in_flight.get(job_id, 0) + 1
                free -= 1
                sent += self._send(item_id)
            if len(found) < asked:
                break
        return sent

    def try_next(self, caller: str) -> None:
        """Send the caller's items up to the limits; if that fails, leave it to recovery."""
        with contextlib.suppress(DatabaseUnavailable, QueueUnavailable):
            self.send_next(caller)

    def send_all(self) -> int:
        """Send every caller's items up to the limits and return their number. Raises `QueueUnavailable`."""
        return sum(self.send_next(caller) for caller in self._pending.waiting_callers())

    def _send(self, item_id: str) -> bool:
        if not self._store.mark_queued(item_id):
            return False
        try:
            self._queue.send(item_id)
        except QueueUnavailable:
            self._store.mark_unsent(item_id)
            raise
        return True
