"""Webhooks are signed, delivered to a real server and retried; each attempt is made once."""

import json
import threading
import time
from datetime import UTC, datetime

import pytest

from services.jobs.pending import PendingWork
from services.jobs.queries import JobQueries
from services.jobs.retry import RetryPolicy
from services.jobs.store import JobStore
from services.jobs.webhooks.delivery import Webhooks
from services.jobs.webhooks.signatures import Signer
from services.net.client import Outbound
from tests.support.jobs import claim_item, insert_job, simultaneously
from tests.support.servers.webhooks import SECRET, Receiver, SilentReceiver, attempt_due, ended


def webhooks(store: JobStore, *hosts: str, tries: int = 3, wait: float = 0, public_url: str = "") -> Webhooks:
    outbound = Outbound(ports=(80, 443), hosts=hosts)
    return Webhooks(store, outbound, Signer([SECRET]), RetryPolicy(tries - 1, (wait,)), public_url=public_url)


def fail_job(store: JobStore, job_id: str) -> None:
    assert store.fail(claim_item(store, job_id), "internal_error", "")
    assert store.close(job_id)


def test_webhook_is_retried_until_it_is_accepted(store: JobStore, queries: JobQueries) -> None:
    with Receiver((503, 200)) as receiver:
        job_id = ended(store, receiver.url)
        ended(store, None)
        insert_job(store, callback_url=receiver.url)  # not over
        sender = webhooks(store, f"127.0.0.1:{receiver.port}")
        for _ in range(4):
            attempt_due(store, sender)
        assert len(receiver.requests) == 2
        assert all(found.is_signed(SECRET) and not found.is_signed("another") for found in receiver.requests)
        first, second = (found.headers["webhook-id"] for found in receiver.requests)
    assert first == second
    job = queries.job(job_id, None).job
    assert (job.callback_status, job.callback_attempts, job.callback_due_at) == ("200", 2, None)


def test_concurrent_senders_deliver_a_webhook_once(store: JobStore) -> None:
    with Receiver() as receiver:
        ended(store, receiver.url)
        job = PendingWork(store.database).due_webhook()
        assert job
        host = f"127.0.0.1:{receiver.port}"
        simultaneously(*[lambda: webhooks(store, host, wait=60).attempt(job)] * 4)
        assert len(receiver.requests) == 1


def test_attempt_for_an_earlier_end_of_a_job_says_nothing_of_the_later_one(
    store: JobStore, queries: JobQueries
) -> None:  # fmt: skip
    with Receiver((200, 503)) as receiver:
        job_id = insert_job(store, callback_url=receiver.url)
        fail_job(store, job_id)
        pending, sender = PendingWork(store.database), webhooks(store, f"127.0.0.1:{receiver.port}", wait=60)
        earlier = pending.due_webhook()
        assert earlier
        assert store.begin_webhook_attempt(earlier, None)
        assert store.retry(job_id)
        fail_job(store, job_id)
        # Another sender has read the job before the retry: what it would say is no longer true.
        sender.attempt(earlier)
        assert receiver.requests == []
        later = pending.due_webhook()
        assert later
        assert store.begin_webhook_attempt(later, datetime.now(UTC))
        # Only now does the first attempt's receiver answer.
        assert not store.mark_webhook_sent(earlier, "200", delivered=True)
    assert queries.job(job_id, None).job.callback_due_at


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://169.254.169.254/latest"])
def test_webhook_into_the_private_network_is_never_sent(store: JobStore, queries: JobQueries, url: str) -> None:
    job_id = ended(store, url)
    for _ in range(5):
        attempt_due(store, webhooks(store, tries=2))
    job = queries.job(job_id, None).job
    assert (job.callback_status, job.callback_attempts, job.callback_due_at) == ("forbidden_source", 2, None)


def test_status_url_is_absolute_with_a_public_url(store: JobStore) -> None:
    with Receiver() as receiver:
        job_id = ended(store, receiver.url)
        attempt_due(store, webhooks(store, f"127.0.0.1:{receiver.port}", public_url="https://api.example"))
        (delivery,) = receiver.requests
    assert json.loads(delivery.body)["status_url"] == f"https://api.example/api/jobs/{job_id}"


def test_stop_ends_an_attempt_that_waits_for_its_receiver(store: JobStore, queries: JobQueries) -> None:
    with SilentReceiver() as receiver:
        job_id = ended(store, receiver.url)
        sender = webhooks(store, receiver.host, wait=20)
        threading.Timer(0.3, sender.stop).start()
        begun = time.monotonic()
        attempt_due(store, sender)
    assert time.monotonic() - begun < 5
    job = queries.job(job_id, None).job
    assert (job.callback_status, job.callback_attempts) == ("shutting_down", 1)
    assert job.callback_due_at
