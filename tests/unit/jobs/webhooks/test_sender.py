"""Webhooks are sent a few at a time, in order, one at a time for each caller and receiver."""

import threading
import time
from collections.abc import Iterator

import pytest

from services.errors import DatabaseUnavailable
from services.jobs.pending import PendingWork
from services.jobs.store import JobStore
from services.jobs.tables import Job
from services.jobs.webhooks.sender import WebhookSender, origin
from tests.support.servers.webhooks import ended
from tests.support.waiting import poll

POLL_SECONDS = 0.05


class SlowWebhooks:
    """Counts attempts; each takes until `go`."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self.begun: list[Job] = []
        self.go, self.stopped = threading.Event(), threading.Event()

    def attempt(self, job: Job) -> None:
        if self._store.begin_webhook_attempt(job, None):
            self.begun.append(job)
            while not self.go.wait(0.01) and not self.stopped.is_set():
                pass

    def stop(self) -> None:
        self.stopped.set()


@pytest.fixture
def slow(store: JobStore) -> SlowWebhooks:
    return SlowWebhooks(store)


@pytest.fixture
def sender(store: JobStore, slow: SlowWebhooks) -> Iterator[WebhookSender]:
    made = WebhookSender(slow, PendingWork(store.database), POLL_SECONDS, places=3)  # type: ignore[arg-type]
    yield made
    slow.go.set()
    made.stop()


def test_attempts_begin_in_the_order_in_which_they_are_due(
    store: JobStore, slow: SlowWebhooks, sender: WebhookSender
) -> None:
    slow.go.set()
    due = [ended(store, "https://a.example/", caller="ann") for _ in range(5)]
    sender.start()
    poll(lambda: len(slow.begun) == 5, 10, "all attempts")
    assert [job.id for job in slow.begun] == due


def test_few_attempts_run_at_a_time(store: JobStore, slow: SlowWebhooks, sender: WebhookSender) -> None:
    for number in range(5):
        ended(store, f"https://{number}.example/", caller=str(number))
    sender.start()
    poll(lambda: len(slow.begun) == 3, 10, "three attempts")
    assert len(slow.begun) == 3
    slow.go.set()
    poll(lambda: len(slow.begun) == 5, 10, "all attempts")


def test_slow_receivers_of_a_caller_hold_one_place(store: JobStore, slow: SlowWebhooks, sender: WebhookSender) -> None:
    for number in range(60):
        ended(store, f"https://{number}.example/", caller="ann")
    bobs = ended(store, "https://bob.example/", caller="bob")
    sender.start()
    poll(lambda: len(slow.begun) == 2, 10, "the other caller's attempt")
    assert bobs in [job.id for job in slow.begun]


def test_slow_receiver_of_many_callers_holds_one_place(
    store: JobStore, slow: SlowWebhooks, sender: WebhookSender
) -> None:
    for number in range(5):
        ended(store, f"https://slow.example/{number}", caller=str(number))
    other = ended(store, "https://slow.example.org/", caller="other")
    sender.start()
    poll(lambda: len(slow.begun) == 2, 10, "the other receiver's attempt")
    assert other in [job.id for job in slow.begun]


def test_stop_ends_running_attempts_after_the_grace_and_begins_no_other(
    store: JobStore, slow: SlowWebhooks, sender: WebhookSender
) -> None:
    for number in range(5):
        ended(store, f"https://{number}.example/", caller=str(number))
    sender.start()
    poll(lambda: len(slow.begun) == 3, 10, "three attempts")
    begun = time.monotonic()
    sender.stop(grace_seconds=0.2)
    assert 0.2 <= time.monotonic() - begun < 5
    assert slow.stopped.is_set()
    assert len(slow.begun) == 3


def test_lost_database_is_waited_for(store: JobStore, slow: SlowWebhooks) -> None:
    class LostOnce(PendingWork):
        asked = 0

        def due_webhook(self, *some: object) -> Job | None:
            self.asked += 1
            if self.asked == 1:
                raise DatabaseUnavailable("gone")
            return super().due_webhook(*some)  # type: ignore[arg-type]

    ended(store, "https://a.example/")
    sender = WebhookSender(slow, LostOnce(store.database), POLL_SECONDS)  # type: ignore[arg-type]
    sender.start()
    slow.go.set()
    poll(lambda: len(slow.begun) == 1, 10, "the attempt")
    sender.stop()


def test_origin_is_scheme_host_and_port() -> None:
    assert origin("https://A.example/path?for=1") == "https://a.example/"
    assert origin("http://a.example:8080") == "http://a.example:8080/"
    assert origin("nonsense") == "nonsense"
