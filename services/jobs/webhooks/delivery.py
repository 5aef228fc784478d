"""Notifies callers' servers of a job's end: signed, retried, delivered at least once."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
import structlog
from pydantic import BaseModel, ConfigDict

from services.capacity.deadline import Deadline
from services.errors import ClientGone, ServiceError, ShuttingDown
from services.jobs.metrics import OK, WEBHOOKS, JobCounters
from services.jobs.retry import RetryPolicy
from services.jobs.store import JobStore
from services.jobs.tables import Job
from services.jobs.webhooks.signatures import OLD_ID, Signer
from services.net.client import Outbound
from services.net.stream import Budget
from services.net.urls import parse_url
from services.observability.tracing import Kind, parent_of, span

# One attempt takes less than the first interval, so that two of them never overlap.
ATTEMPT_SECONDS: Final = 10.0
MAX_ANSWER_BYTES: Final = 64 * 1024
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
    """Makes attempts to deliver webhooks. Several threads and processes may use it: each attempt is made by one."""

    def __init__(
        self,
        store: JobStore,
        outbound: Outbound,
        signer: Signer,
        retry_policy: RetryPolicy = RETRY_POLICY,
        counters: JobCounters | None = None,
        public_url: str = "",
    ) -> None:
        """`public_url` is where callers reach the service, without a slash at its end; empty: links are relative."""
        self._store, self._outbound, self._signer = store, outbound, signer
        self._retry_policy, self._public_url = retry_policy, public_url
        self._counters = counters or JobCounters()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the attempts that are being made, within a second; they are repeated like any that failed."""
        self._stopped.set()

    def attempt(self, job: Job) -> None:
        """Make the attempt that is due for this job, unless another process makes it. Raises `DatabaseUnavailable`."""
        delay = self._retry_policy.delay(job.callback_attempts + 1)
        next_due = datetime.now(UTC) + timedelta(seconds=delay) if delay is not None else None
        if self._store.begin_webhook_attempt(job, next_due):
            self._deliver(job, last=delay is None)

    def _deliver(self, job: Job, *, last: bool) -> None:
        with span("webhook", Kind.CLIENT, parent_of(job.traceparent)) as started:
            outcome = self._post(job, started.headers())
            delivered = outcome.startswith("2")
            started.note({"webhook.outcome": outcome, "webhook.attempt": job.callback_attempts + 1})
            if not delivered:
                started.fail(outcome)
        self._store.mark_webhook_sent(job, outcome, delivered=delivered)
        answered = f"http_{outcome[0]}xx" if outcome.isdecimal() else outcome
        self._counters.count(WEBHOOKS, OK if delivered else answered)
        write = log.info if delivered else log.warning
        write("webhook", job=job.id, outcome=outcome, attempt=job.callback_attempts + 1, last=last or delivered)

    def _post(self, job: Job, trace: Mapping[str, str]) -> str:
        """Post the payload with the headers `trace`; return the answer's status, or the code of the error."""
        body = orjson.dumps(webhook_payload(job, self._public_url).model_dump())
        headers = [("Content-Type", "application/json"), (OLD_ID, job.id)]
        headers += self._signer.headers(message_id(job), body)
        headers += trace.items()
        try:
            target = parse_url(job.callback_url or "")
            budget = Budget(ATTEMPT_SECONDS, MAX_ANSWER_BYTES, Deadline(gone=self._stopped.is_set))
            with self._outbound.request("POST", target, budget, headers, body) as answer:
                return str(answer.status)
        except ClientGone:
            return ShuttingDown.code
        except ServiceError as exc:
            return exc.code


def message_id(job: Job) -> str:
    """Return the id of a job's webhook: the same for every attempt, another one when the job ends again after a retry.

    Receivers use it to recognise a webhook that they have had.
    """
    milliseconds = round(job.finished_at.timestamp() * 1000) if job.finished_at else 0
    return f"msg_{job.id}_{milliseconds}"


def webhook_payload(job: Job, public_url: str = "") -> WebhookPayload:
    """Describe an ended job for its webhook."""
    return WebhookPayload(
        event=f"job.{job.state}",
        job_id=job.id,
        status=job.state,
        items=job.total,
        finished_at=job.finished_at.isoformat() if job.finished_at else None,
        status_url=f"{public_url}/api/jobs/{job.id}",
    )
