"""Responses about jobs, and the downloads of their results."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
from flask import Flask

from routes.http.answers import Readiness
from routes.http.context import EXTENSION
from routes.http.jobs.job_answers import accepted, answer, download
from services.jobs.errors import JobNotFinished
from services.jobs.queries import JobSnapshot
from services.jobs.tables import CANCELLED, FAILED, FINISHED, QUEUED, STARTED
from services.storage.local import LocalFolder
from tests.support.jobs import FACTS, new_records

LINK = "https://bucket.example.com/signed"


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """An application whose storage is a folder."""
    made = Flask(__name__)
    made.extensions[EXTENSION] = SimpleNamespace(
        storage=LocalFolder(tmp_path, "secret"),
        jobs=SimpleNamespace(queries=SimpleNamespace(latest=lambda _id: None)),
        settings=SimpleNamespace(download_redirect=True, presigned_url_seconds=60, public_base="https://api.example"),
    )
    return made


@pytest.fixture
def finished(app: Flask) -> Callable[[int], JobSnapshot]:
    """Makes a finished job of some images, whose results are stored."""

    def make(count: int) -> JobSnapshot:
        job, items = new_records(count)
        job.state = FINISHED
        for item in items:
            item.state, item.result, item.result_key = FINISHED, FACTS, f"results/{job.id}/{item.position}.png"
            app.extensions[EXTENSION].storage.put(item.result_key, b"result %d" % item.position, "image/png")
        return JobSnapshot(job, items, None)

    return make


def test_answer_is_json_that_no_cache_keeps() -> None:
    response = answer(Readiness(status="ready"), 201)
    assert (response.status_code, response.mimetype) == (201, "application/json")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.data == answer(b'{"status":"ready","model":null}').data


def test_accepted_job_is_found_at_its_location(app: Flask) -> None:
    job, _ = new_records(2)
    with app.test_request_context("/"):
        response = accepted(job, ["a.jpg", "b.jpg"])
    assert (response.status_code, response.headers["Location"]) == (202, f"https://api.example/api/jobs/{job.id}")
    assert response.get_json()["items"] == 2


@pytest.mark.parametrize(
    ("state", "details"),
    [
        (QUEUED, "it is queued"),
        (STARTED, "it is started"),
        (FAILED, "all of it failed"),
        (CANCELLED, "cancelled before any"),
    ],
)
def test_job_that_has_not_finished_has_no_download(state: str, details: str) -> None:
    job, items = new_records()
    job.state = state
    with pytest.raises(JobNotFinished, match=details):
        download(JobSnapshot(job, items, None))


def test_single_image_is_downloaded_under_its_name(app: Flask, finished: Callable[[int], JobSnapshot]) -> None:
    with app.test_request_context("/"):
        response = download(finished(1))
        assert response.get_data() == b"result 1"
    assert (response.mimetype, response.content_length) == ("image/png", 8)
    assert response.headers["Content-Disposition"] == 'attachment; filename="photo 1-no-bg.png"'
    assert response.headers["X-Confidence"] == "0.987"
    assert response.headers["Cache-Control"] == "private, no-store"


def test_batch_is_downloaded_as_a_zip(app: Flask, finished: Callable[[int], JobSnapshot]) -> None:
    snapshot = finished(2)
    with app.test_request_context("/"):
        response = download(snapshot)
        content = zipfile.ZipFile(io.BytesIO(response.get_data()))
    assert content.read("photo 2-no-bg.png") == b"result 2"
    assert response.mimetype == "application/zip"
    assert f"{snapshot.job.id}.zip" in response.headers["Content-Disposition"]


def test_cancelled_batch_has_the_images_that_were_done(app: Flask, finished: Callable[[int], JobSnapshot]) -> None:
    snapshot = finished(2)
    snapshot.job.state = snapshot.items[1].state = CANCELLED
    with app.test_request_context("/"):
        content = zipfile.ZipFile(io.BytesIO(download(snapshot).get_data()))
    assert content.namelist() == ["photo 1-no-bg.png", "metadata.json", "errors.json"]
    assert [(entry["name"], entry["code"]) for entry in orjson.loads(content.read("errors.json"))] == [
        ("photo 2", "cancelled")
    ]


@pytest.mark.parametrize("redirects", [True, False])
def test_result_in_a_bucket_is_a_redirect_where_the_settings_say_so(
    app: Flask, finished: Callable[[int], JobSnapshot], redirects: bool
) -> None:
    snapshot, parts = finished(1), app.extensions[EXTENSION]
    parts.settings.download_redirect = redirects
    parts.storage = SimpleNamespace(open=parts.storage.open, url=lambda *_: LINK)
    with app.test_request_context("/"):
        response = download(snapshot)
        content = response.get_data()
    assert response.headers["Cache-Control"] == "private, no-store"
    assert (response.status_code, response.headers.get("Location")) == ((302, LINK) if redirects else (200, None))
    assert (content == b"result 1") is not redirects
