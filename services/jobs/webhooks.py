"""Notifies callers' servers of a job's end: signed, retried, delivered at least once.

The signature is `X-Webhook-Signature: t=<Unix seconds>,v1=<hex>`, an HMAC-SHA256 with `WEBHOOK_SECRET` over the
seconds, a dot, and the body. A receiver compares it in constant time and refuses old seconds: nothing can be replayed.
"""

import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
import structlog
from pydantic import BaseModel, ConfigDict

from services.capacity.deadline import Deadline
from services.errors import ServiceError
from services.jobs.metrics import OK, WEBHOOKS, JobCounters
from services.jobs.pending import PendingWork
from services.jobs.retry import RetryPolicy
from services.jobs.store import JobStore
from services.jobs.tables import Job
from services.net.client import Outbound
from services.net.stream import Budget
from services.net.urls import parse_url

# One attempt takes less than the first interval, so that two of them never overlap.
ATTEMPT_SECONDS: Final = 10.0
MAX_ANSWER_BYTES: Final = 64 * 1024
BATCH_SIZE: Final = 50
SIGNATURE: Final = "X-Webhook-Signature"
RETRY_POLICY: Final = RetryPolicy(5, (20.0, 60.0, 300.0, 1800.0, 7200.0))
log = structlog.get_logger("webhook")


class WebhookPayload(BaseModel):
    """The body of a webhook; further facts are behind `status_url`."""

    model_config = ConfigDict(frozen=True)

    event: str
    job_id: str
    status: str
    items: int
    finished_at: str | None
    status_url: str


class Webhooks:
    """Sends webhooks that are due; when two processes run it at the same time, one of them makes each attempt."""

    def __init__(
        self,
        store: JobStore,
        outbound: Outbound,
        secret: str,
        retry_policy: RetryPolicy = RETRY_POLICY,
        clock: Callable[[], float] = time.time,
        counters: JobCounters | None = None,
    ) -> None:
        self._store, self._pending = store, PendingWork(store.database)
        self._outbound, self._secret = outbound, secret.encode()
        self._retry_policy, self._clock = retry_policy, clock
        self._counters = counters or JobCounters()

    def run(self) -> None:
        """Make one attempt for each webhook that is due. Raises `DatabaseUnavailable`."""
        for job in self._pending.due_webhooks(BATCH_SIZE):
            delay = self._retry_policy.delay(job.callback_attempts + 1)
            next_due = datetime.now(UTC) + timedelta(seconds=delay) if delay is not None else None
            if self._store.begin_webhook_attempt(job, next_due):
                self._deliver(job, last=delay is None)

    def _deliver(self, job: Job, *, last: bool) -> None:
        outcome = self._post(job)
        delivered = outcome.startswith("2")
        self._store.mark_webhook_sent(job, outcome, delivered=delivered)
        answered = f"http_{outcome[0]}xx" if outcome.isdecimal() else outcome
        self._counters.count(WEBHOOKS, OK if delivered else answered)
        write = log.info if delivered else log.warning
        write("webhook", job=job.id, outcome=outcome, attempt=job.callback_attempts + 1, last=last or delivered)

    def _post(self, job: Job) -> str:
        """Post the payload; return the answer's status, or the code of the error."""
        body = orjson.dumps(webhook_payload(job).model_dump())
        headers = [("Content-Type", "application/json"), (SIGNATURE, self.signature(body)), ("X-Webhook-Id", job.id)]
        try:
            target = parse_url(job.callback_url or "")
            budget = Budget(ATTEMPT_SECONDS, MAX_ANSWER_BYTES, Deadline())
            with self._outbound.request("POST", target, budget, headers, body) as answer:
                return str(answer.status)
        except ServiceError as exc:
            return exc.code

    def signature(self, body: bytes) -> str:
        """Return the signature header of a body sent now."""
        seconds = int(self._clock())
        return f"t={seconds},v1={hmac.new(self._secret, b'%d.%s' % (seconds, body), 'sha256').hexdigest()}"


def webhook_payload(job: Job) -> WebhookPayload:
    """Describe an ended job for its webhook."""
    return WebhookPayload(
        event=f"job.{job.state}",
        job_id=job.id,
        status=job.state,
        items=job.total,
        finished_at=job.finished_at.isoformat() if job.finished_at else None,
        status_url=f"/api/jobs/{job.id}",
    )
