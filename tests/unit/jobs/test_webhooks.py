"""Webhooks are signed, delivered to a real server and retried; each attempt is made once."""

import hmac
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest

from services.jobs.queries import JobQueries
from services.jobs.retry import RetryPolicy
from services.jobs.store import JobStore
from services.jobs.webhooks import SIGNATURE, Webhooks
from services.net.client import Outbound
from tests.support.job_records import FACTS
from tests.unit.jobs.test_store import at_once, claimed, database, make, records, reports  # noqa: F401 - fixtures

SECRET = "a secret of some length"


@dataclass(frozen=True)
class ReceivedRequest:
    """One request that the receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    def is_signed(self, secret: str) -> bool:
        """Verify the signature as a receiver does."""
        parts = dict(part.split("=", 1) for part in self.headers[SIGNATURE].split(","))
        expected = hmac.new(secret.encode(), parts["t"].encode() + b"." + self.body, "sha256").hexdigest()
        return hmac.compare_digest(parts["v1"], expected) and abs(time.time() - int(parts["t"])) < 60


class Receiver:
    """A caller's server on loopback; answers with these statuses, and then with the last one only."""

    def __init__(self, statuses: Sequence[int] = (204,)) -> None:
        self.requests: list[ReceivedRequest] = []
        left = list(statuses)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append(ReceivedRequest(self.path, dict(self.headers.items()), body))
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def webhooks(records: JobStore, *hosts: str, tries: int = 3, wait: float = 0) -> Webhooks:  # noqa: F811
    return Webhooks(records, Outbound(ports=(80, 443), hosts=hosts), SECRET, RetryPolicy(tries - 1, (wait,)))


def ended(records: JobStore, url: str | None) -> str:  # noqa: F811
    job_id = make(records, callback_url=url)
    assert records.finish(claimed(records, job_id), "k", FACTS)
    assert records.close(job_id)
    return job_id


def test_a_webhook_is_retried_until_it_is_accepted(records: JobStore, reports: JobQueries) -> None:  # noqa: F811
    with Receiver((503, 200)) as receiver:
        job_id = ended(records, receiver.url)
        ended(records, None)
        make(records, callback_url=receiver.url)  # not over
        sender = webhooks(records, f"127.0.0.1:{receiver.port}")
        for _ in range(4):
            sender.run()
        assert len(receiver.requests) == 2
        assert all(found.is_signed(SECRET) and not found.is_signed("another") for found in receiver.requests)
    job = reports.job(job_id, None).job
    assert (job.callback_status, job.callback_attempts, job.callback_due_at) == ("200", 2, None)


def test_concurrent_senders_deliver_a_webhook_once(records: JobStore) -> None:  # noqa: F811
    with Receiver() as receiver:
        ended(records, receiver.url)
        host = f"127.0.0.1:{receiver.port}"
        at_once(*[lambda: webhooks(records, host, wait=60).run()] * 4)
        assert len(receiver.requests) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://169.254.169.254/latest"])
def test_a_webhook_into_the_private_network_is_never_sent(
    records: JobStore, reports: JobQueries, url: str  # noqa: F811
) -> None:  # fmt: skip
    job_id = ended(records, url)
    for _ in range(5):
        webhooks(records, tries=2).run()
    job = reports.job(job_id, None).job
    assert (job.callback_status, job.callback_attempts, job.callback_due_at) == ("forbidden_source", 2, None)
