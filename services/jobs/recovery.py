"""Recovers stuck work: expired leases, lost messages, jobs that were not closed, unsent items. Idempotent.

Every worker host runs it periodically, and running it twice at the same time is harmless.
"""

from datetime import UTC, datetime, timedelta

import structlog

from services.jobs.dispatch import Dispatcher
from services.jobs.errors import WorkerLost
from services.jobs.metrics import ENDED, MESSAGE_LOST, REQUEUED, WORKER_LOST, JobCounters
from services.jobs.pending import PendingWork
from services.jobs.queue import Queue
from services.jobs.retry import RetryPolicy
from services.jobs.store import Claim, JobStore

log = structlog.get_logger("recovery")


class JobRecovery:
    """Takes items back from lost workers, replaces lost messages, closes jobs, and sends waiting items."""

    def __init__(
        self,
        store: JobStore,
        queue: Queue,
        dispatcher: Dispatcher,
        retry_policy: RetryPolicy,
        lost_seconds: float,
        counters: JobCounters | None = None,
    ) -> None:
        """`lost_seconds`: a message of this age that is not in the queue is lost."""
        self._store, self._pending = store, PendingWork(store.database)
        self._queue, self._dispatcher = queue, dispatcher
        self._retry_policy, self._lost_seconds = retry_policy, lost_seconds
        self._counters = counters or JobCounters()

    def run(self) -> None:
        """Run one round. Raises `DatabaseUnavailable`, `QueueUnavailable`: the next round does the rest."""
        for claim in self._pending.expired_claims():
            self._take_back(claim)
        for job_id in self._pending.unclosed():
            self._store.close(job_id)
        self._replace_lost_messages()
        self._dispatcher.send_all()

    def _take_back(self, claim: Claim) -> None:
        """Requeue or fail the item of a lost worker. No row changes if the worker has renewed its lease after all."""
        delay = self._retry_policy.delay(claim.item.attempts)
        details = f"tried {claim.item.attempts} times"
        if delay is None:
            taken = self._store.fail(claim, WorkerLost.code, details, if_late=True)
        else:
            taken = self._store.requeue(claim, WorkerLost.code, details, delay, if_late=True)
        if taken:
            self._counters.count(ENDED if delay is None else REQUEUED, WORKER_LOST)
            log.warning("worker lost", item=claim.item.id, attempts=claim.item.attempts, again=delay is not None)

    def _replace_lost_messages(self) -> None:
        late = self._pending.queued_before(datetime.now(UTC) - timedelta(seconds=self._lost_seconds))
        if not late:
            return
        waiting = self._queue.waiting()
        lost = [(item_id, at) for item_id, at in late if item_id not in waiting]
        noted = sum(self._store.mark_message_lost(item_id, at) for item_id, at in lost)
        if noted:
            self._counters.count(REQUEUED, MESSAGE_LOST, noted)
            log.warning("messages lost", items=noted)
