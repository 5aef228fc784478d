"""What is sent on its way when: so much of each job and of each caller at a time, so that none waits behind another.

All that is not sent yet waits in the records. Whoever finishes an item sends its caller's next; the sweep sends what
nobody sent. The counts may be exceeded by one or two when two do so at once, which harms nobody.
"""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime

from services.errors import DatabaseUnavailable
from services.jobs.errors import QueueUnavailable
from services.jobs.queue import Queue
from services.jobs.store import Records
from services.jobs.tables import QUEUED, JobItem

CALLER_SHARE = 2  # a caller may have so many times as much on its way as one of its jobs


class Dispatcher:
    """Sends items on their way: `per_job` at a time."""

    def __init__(self, records: Records, queue: Queue, per_job: int) -> None:
        self._records, self._queue, self._per_job = records, queue, per_job

    def mark_first(self, items: Sequence[JobItem], flying: int) -> list[str]:
        """Those of a new job's items that go at once, where `flying` of its caller's are on their way.

        It is noted in the items, which are not written down yet: that saves a submission most of what `send_next` asks.
        """
        free = min(self._per_job, CALLER_SHARE * self._per_job - flying)
        first = [item for item in items if item.state == QUEUED][: max(0, free)]
        now = datetime.now(UTC)
        for item in first:
            item.queued_at = now
        return [item.id for item in first]

    def send_marked(self, item_ids: Sequence[str]) -> None:
        """Send what `mark_first` has marked. Raises `QueueUnavailable`, and then those that could not be sent wait as
        before. What a crash leaves unsent the sweep takes for lost."""
        for number, item_id in enumerate(item_ids):
            try:
                self._queue.send(item_id)
            except QueueUnavailable:
                for left in item_ids[number:]:
                    self._records.note_not_queued(left)
                raise

    def send_next(self, caller: str) -> int:
        """Send as many of the caller's items as may be on their way. Raises `QueueUnavailable`, and then those that
        could not be sent wait as before."""
        flying = self._records.in_flight(caller)
        free = CALLER_SHARE * self._per_job - sum(flying.values())
        sent = 0
        while (asked := free) > 0:
            full = [job_id for job_id, count in flying.items() if count >= self._per_job]
            found = self._records.unsent(caller, full, asked)
            for item_id, job_id in found:
                if flying.get(job_id, 0) >= self._per_job:
                    continue
                flying[job_id] = flying.get(job_id, 0) + 1
                free -= 1
                sent += self._send(item_id)
            if len(found) < asked:
                break
        return sent

    def try_next(self, caller: str) -> None:
        """The same, where the sweep may as well do it later."""
        with contextlib.suppress(DatabaseUnavailable, QueueUnavailable):
            self.send_next(caller)

    def send_all(self) -> int:
        """What every caller may have on its way. Raises `QueueUnavailable`."""
        return sum(self.send_next(caller) for caller in self._records.waiting_callers())

    def _send(self, item_id: str) -> bool:
        if not self._records.note_queued(item_id):
            return False
        try:
            self._queue.send(item_id)
        except QueueUnavailable:
            self._records.note_not_queued(item_id)
            raise
        return True
