"""Telling a caller's own server that a job is over: signed, tried again, at least once.

The signature is `X-Webhook-Signature: t=<Unix seconds>,v1=<hex>`, an HMAC-SHA256 with `WEBHOOK_SECRET` over the
seconds, a dot, and the body. A receiver compares it in constant time and refuses old seconds: nothing can be replayed.
"""

import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import structlog
from sqlalchemy import select, update

from services.capacity.deadline import Deadline
from services.errors import ServiceError
from services.jobs.retry import Retries
from services.jobs.store import Records
from services.jobs.tables import Job
from services.jobs.tally import OK, WEBHOOKS, Tally
from services.net.client import Outbound
from services.net.stream import Budget
from services.net.urls import parse_url

SECONDS: Final = 10.0  # for one attempt: less than the first interval, so that two never run at once
MAX_ANSWER_BYTES: Final = 64 * 1024
AT_ONCE: Final = 50
SIGNATURE: Final = "X-Webhook-Signature"
RETRIES: Final = Retries(5, (20.0, 60.0, 300.0, 1800.0, 7200.0))
log = structlog.get_logger("webhook")


class Webhooks:
    """Delivers what is due; harmless when run twice: one attempt is made by one of them."""

    def __init__(
        self,
        records: Records,
        outbound: Outbound,
        secret: str,
        retries: Retries = RETRIES,
        clock: Callable[[], float] = time.time,
        tally: Tally | None = None,
    ) -> None:
        self._tally = tally or Tally()
        self._records, self._outbound, self._secret = records, outbound, secret.encode()
        self._retries, self._clock = retries, clock

    def run(self) -> None:
        """One attempt of each that is due. Raises `DatabaseUnavailable`."""
        with self._records.database.session() as session:
            due = list(session.scalars(select(Job).where(Job.callback_due_at <= datetime.now(UTC)).limit(AT_ONCE)))
        for job in due:
            delay = self._retries.delay(job.callback_attempts + 1)
            if self._take(job, delay):
                self._deliver(job, last=delay is None)

    def _take(self, job: Job, delay: float | None) -> bool:
        """Note the attempt before it is made, with the time of the next: a crash in between costs one attempt."""
        following = datetime.now(UTC) + timedelta(seconds=delay) if delay is not None else None
        mine = (Job.id == job.id, Job.callback_attempts == job.callback_attempts, Job.callback_due_at.is_not(None))
        return self._change(*mine, callback_attempts=job.callback_attempts + 1, callback_due_at=following)

    def _deliver(self, job: Job, *, last: bool) -> None:
        outcome = self._post(job)
        delivered = outcome.startswith("2")
        values = {"callback_status": outcome, **({"callback_due_at": None} if delivered else {})}
        self._change(Job.id == job.id, Job.callback_attempts == job.callback_attempts + 1, **values)
        answered = f"http_{outcome[0]}xx" if outcome.isdecimal() else outcome
        self._tally.count(WEBHOOKS, OK if delivered else answered)
        write = log.info if delivered else log.warning
        write("webhook", job=job.id, outcome=outcome, attempt=job.callback_attempts + 1, last=last or delivered)

    def _post(self, job: Job) -> str:
        """The answer's status, or the code of what went wrong."""
        body = orjson.dumps({"event": f"job.{job.state}", **told(job)})
        headers = [("Content-Type", "application/json"), (SIGNATURE, self.signature(body)), ("X-Webhook-Id", job.id)]
        try:
            target = parse_url(job.callback_url or "")
            budget = Budget(SECONDS, MAX_ANSWER_BYTES, Deadline())
            with self._outbound.request("POST", target, budget, headers, body) as answer:
                return str(answer.status)
        except ServiceError as exc:
            return exc.code

    def signature(self, body: bytes) -> str:
        """What the header says of a body sent now."""
        seconds = int(self._clock())
        return f"t={seconds},v1={hmac.new(self._secret, b'%d.%s' % (seconds, body), 'sha256').hexdigest()}"

    def _change(self, *conditions: Any, **values: Any) -> bool:
        statement = update(Job).where(*conditions).values(**values)
        with self._records.database.session() as session:
            result: Any = session.execute(statement, execution_options={"synchronize_session": False})
            return bool(result.rowcount)


def told(job: Job) -> dict[str, Any]:
    """What the receiver is told; the rest is behind `status_url`."""
    return {
        "job_id": job.id,
        "status": job.state,
        "items": job.total,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
        "status_url": f"/api/jobs/{job.id}",
    }
