"""Webhooks are signed, delivered to a real server and retried; each attempt is made once."""

import pytest

from services.jobs.queries import JobQueries
from services.jobs.retry import RetryPolicy
from services.jobs.store import JobStore
from services.jobs.webhooks import Webhooks
from services.net.client import Outbound
from tests.support.jobs import insert_job, simultaneously
from tests.support.webhooks import SECRET, Receiver, ended


def webhooks(store: JobStore, *hosts: str, tries: int = 3, wait: float = 0) -> Webhooks:
    return Webhooks(store, Outbound(ports=(80, 443), hosts=hosts), SECRET, RetryPolicy(tries - 1, (wait,)))


def test_a_webhook_is_retried_until_it_is_accepted(store: JobStore, queries: JobQueries) -> None:
    with Receiver((503, 200)) as receiver:
        job_id = ended(store, receiver.url)
        ended(store, None)
        insert_job(store, callback_url=receiver.url)  # not over
        sender = webhooks(store, f"127.0.0.1:{receiver.port}")
        for _ in range(4):
            sender.run()
        assert len(receiver.requests) == 2
        assert all(found.is_signed(SECRET) and not found.is_signed("another") for found in receiver.requests)
    job = queries.job(job_id, None).job
    assert (job.callback_status, job.callback_attempts, job.callback_due_at) == ("200", 2, None)


def test_concurrent_senders_deliver_a_webhook_once(store: JobStore) -> None:
    with Receiver() as receiver:
        ended(store, receiver.url)
        host = f"127.0.0.1:{receiver.port}"
        simultaneously(*[lambda: webhooks(store, host, wait=60).run()] * 4)
        assert len(receiver.requests) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://169.254.169.254/latest"])
def test_a_webhook_into_the_private_network_is_never_sent(
    store: JobStore, queries: JobQueries, url: str
) -> None:  # fmt: skip
    job_id = ended(store, url)
    for _ in range(5):
        webhooks(store, tries=2).run()
    job = queries.job(job_id, None).job
    assert (job.callback_status, job.callback_attempts, job.callback_due_at) == ("forbidden_source", 2, None)
