"""What is seen to again and again, by every worker host, harmlessly more than once: nothing stays where it got stuck.

A worker that is gone gives its items back when its lease has run out; an item whose message is nowhere gets another;
what waits is sent on its way; a job whose last item is done ends.
"""

from datetime import UTC, datetime, timedelta

import structlog

from services.jobs.dispatch import Dispatcher
from services.jobs.errors import WorkerLost
from services.jobs.queue import Queue
from services.jobs.retry import Retries
from services.jobs.store import Claim, Records
from services.jobs.tally import ENDED, MESSAGE_LOST, REQUEUED, WORKER_LOST, Tally

log = structlog.get_logger("sweep")


class Sweep:
    """`lost_seconds`: a message this old that is not in the queue has been lost."""

    def __init__(
        self,
        records: Records,
        queue: Queue,
        dispatcher: Dispatcher,
        retries: Retries,
        lost_seconds: float,
        tally: Tally | None = None,
    ) -> None:
        self._tally = tally or Tally()
        self._records, self._queue, self._dispatcher = records, queue, dispatcher
        self._retries, self._lost_seconds = retries, lost_seconds

    def run(self) -> None:
        """One round. Raises `DatabaseUnavailable`, `QueueUnavailable`: the next round does the rest."""
        for claim in self._records.expired_claims():
            self._take_back(claim)
        for job_id in self._records.unclosed():
            self._records.close(job_id)
        self._find_lost()
        self._dispatcher.send_all()

    def _take_back(self, claim: Claim) -> None:
        """The claim's holder has not been heard of; it was heard of after all if no row is changed."""
        delay = self._retries.delay(claim.item.attempts)
        details = f"tried {claim.item.attempts} times"
        if delay is None:
            taken = self._records.fail(claim, WorkerLost.code, details, if_late=True)
        else:
            taken = self._records.put_back(claim, WorkerLost.code, details, delay, if_late=True)
        if taken:
            self._tally.count(ENDED if delay is None else REQUEUED, WORKER_LOST)
            log.warning("worker lost", item=claim.item.id, attempts=claim.item.attempts, again=delay is not None)

    def _find_lost(self) -> None:
        late = self._records.queued_before(datetime.now(UTC) - timedelta(seconds=self._lost_seconds))
        if not late:
            return
        there = self._queue.waiting()
        lost = [item_id for item_id, seen in late if item_id not in there and self._records.note_lost(item_id, seen)]
        if lost:
            self._tally.count(REQUEUED, MESSAGE_LOST, len(lost))
            log.warning("messages lost", items=len(lost))
