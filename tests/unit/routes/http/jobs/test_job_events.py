"""The events of a job: one for each change, until it ends."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import orjson
import pytest
from flask import Flask, Response

from bootstrap.jobs import JobServices
from routes.http.context import EXTENSION
from routes.http.jobs import job_events
from routes.http.jobs.job_events import events, wants_events
from services.errors import Busy
from services.jobs.errors import JobNotFound
from services.jobs.listeners import Listeners
from services.jobs.queries import JobSnapshot
from services.jobs.tables import FINISHED, QUEUED, STARTED, Job, JobItem
from tests.support.jobs import new_records


class History:
    """The states that a job has at each look; afterwards it does not exist."""

    def __init__(self) -> None:
        self.left: list[JobSnapshot] = []

    def job(self, _job_id: str, _owner: str | None) -> JobSnapshot:
        if not self.left:
            raise JobNotFound
        return self.left.pop(0)


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def parts(history: History) -> JobServices:
    """The job services of a process with one thread for listeners."""
    return cast("JobServices", SimpleNamespace(listeners=Listeners(1), queries=history))


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """An application that looks at a job without a pause, and a request to it."""
    monkeypatch.setattr(job_events, "POLL_SECONDS", 0)
    made = Flask(__name__)
    made.extensions[EXTENSION] = SimpleNamespace(
        draining=threading.Event(), response_deadlines={}, settings=SimpleNamespace(public_base="")
    )
    with made.test_request_context("/"):
        yield made


@pytest.fixture
def look() -> Callable[..., JobSnapshot]:
    """Makes what is seen of one and the same job at one moment."""
    records = new_records()

    def make(state: str, progress: int = 0, eta: float | None = None) -> JobSnapshot:
        job, items = _copy(records[0]), [_copy(item) for item in records[1]]
        job.state = items[0].state = state
        items[0].progress = progress
        return JobSnapshot(cast("Job", job), cast("list[JobItem]", items), eta)

    return make


def _copy(record: Job | JobItem) -> SimpleNamespace:
    names = type(record).__mapper__.columns.keys()
    return SimpleNamespace(**{name: getattr(record, name) for name in names})


def read(response: Response) -> list[tuple[str, int]]:
    """The name and the progress of each event."""
    text = b"".join(cast("Iterator[bytes]", response.response)).decode()
    assert text.startswith("retry: 1000\n\n")
    response.close()
    found = []
    for block in text.split("\n\n")[1:-1]:
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))["progress"]))
    return found


@pytest.mark.usefixtures("app")
def test_each_change_is_an_event_until_the_job_ends(
    parts: JobServices, history: History, look: Callable[..., JobSnapshot]
) -> None:
    history.left = [look(STARTED, 50), look(STARTED, 50), look(FINISHED, 100), look(STARTED, 1)]
    response = events(parts, look(QUEUED), None, "ann")
    assert read(response) == [("queued", 0), ("started", 50), ("finished", 100)]
    assert len(history.left) == 1
    assert response.mimetype == "text/event-stream"
    assert (response.headers["Cache-Control"], response.headers["X-Accel-Buffering"]) == ("no-store", "no")


@pytest.mark.usefixtures("app")
def test_new_estimate_is_not_an_event(parts: JobServices, history: History, look: Callable[..., JobSnapshot]) -> None:
    history.left = [look(STARTED, 50, eta=3.0), look(STARTED, 50, eta=2.0), look(FINISHED, 100)]
    assert read(events(parts, look(STARTED, 50, eta=4.0), None, "ann")) == [("started", 50), ("finished", 100)]


@pytest.mark.usefixtures("app")
def test_stream_ends_when_the_job_is_deleted(parts: JobServices, look: Callable[..., JobSnapshot]) -> None:
    assert read(events(parts, look(STARTED, 50), None, "ann")) == [("started", 50)]


def test_stream_ends_when_the_server_stops(
    app: Flask, parts: JobServices, history: History, look: Callable[..., JobSnapshot]
) -> None:
    history.left = [look(FINISHED, 100)]
    app.extensions[EXTENSION].draining.set()
    assert read(events(parts, look(STARTED, 50), None, "ann")) == [("started", 50)]
    assert len(history.left) == 1


@pytest.mark.usefixtures("app")
def test_stream_ends_after_its_time(
    parts: JobServices, history: History, look: Callable[..., JobSnapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_events, "MAX_STREAM_SECONDS", -1)
    history.left = [look(FINISHED, 100)]
    assert read(events(parts, look(STARTED, 50), None, "ann")) == [("started", 50)]


@pytest.mark.usefixtures("app")
def test_quiet_stream_is_kept_alive(
    parts: JobServices, history: History, look: Callable[..., JobSnapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_events, "KEEP_ALIVE_SECONDS", -1)
    history.left = [look(STARTED, 50), look(FINISHED, 100)]
    with events(parts, look(STARTED, 50), None, "ann") as response:
        text = b"".join(cast("Iterator[bytes]", response.response))
    assert text.count(b": still here\n\n") == 2


@pytest.mark.usefixtures("app")
def test_listener_beyond_the_threads_is_refused_until_one_leaves(
    parts: JobServices, look: Callable[..., JobSnapshot]
) -> None:
    first = events(parts, look(FINISHED, 100), None, "ann")
    with pytest.raises(Busy, match="too many callers"):
        events(parts, look(FINISHED, 100), None, "bob")
    first.close()
    events(parts, look(FINISHED, 100), None, "ann").close()


@pytest.mark.parametrize(
    ("accept", "wanted"), [("text/event-stream", True), ("*/*", False), ("text/*", False), ("application/json", False)]
)
def test_events_must_be_accepted_explicitly(accept: str, wanted: bool) -> None:
    with Flask(__name__).test_request_context("/", headers={"Accept": accept}):
        assert wants_events() is wanted
