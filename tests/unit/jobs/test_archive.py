"""A batch's ZIP: results under distinct names, `metadata.json` on them, `errors.json` on the rest."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from services.jobs.archive import result_name, result_names, stream_archive
from services.jobs.queries import JobSnapshot
from services.jobs.tables import FAILED, FINISHED, Job, JobItem, result_key
from services.storage.local import LocalFolder
from tests.support.jobs import FACTS, new_records


@pytest.fixture
def storage(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path, "secret")


def finish(job: Job, item: JobItem, storage: LocalFolder | None = None) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    item.state, item.result, item.attempts = FINISHED, FACTS, 1
    item.result_key = result_key(job.id, item.position, "png")
    item.started_at, item.finished_at = start, start + timedelta(seconds=1.5)
    if storage:
        storage.put(item.result_key, b"result %d" % item.position, "image/png")


def archive(job: Job, items: list[JobItem], storage: LocalFolder) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(stream_archive(JobSnapshot(job, items, None), storage))))


def test_results_and_errors_are_archived(storage: LocalFolder) -> None:
    job, items = new_records(2)
    for item in items:
        item.name = f"holiday/photo {item.position}.jpg"
    finish(job, items[0], storage)
    items[1].state, items[1].error_code, items[1].attempts = FAILED, "corrupt_image", 2
    found = archive(job, items, storage)
    assert found.namelist() == ["holiday/photo 1-no-bg.png", "metadata.json", "errors.json"]
    assert found.read("holiday/photo 1-no-bg.png") == b"result 1"
    assert orjson.loads(found.read("metadata.json")) == [
        {
            "file": "holiday/photo 1-no-bg.png",
            "name": "holiday/photo 1.jpg",
            "position": 1,
            "seconds": 1.5,
            "width": 64,
            "height": 48,
            "bytes": 1234,
            "format": "png",
            "model": "u2netp",
            "confidence": 0.987,
            "original_width": 640,
            "original_height": 480,
            "edited": False,
        }
    ]
    assert orjson.loads(found.read("errors.json")) == [
        {"name": "holiday/photo 2.jpg", "position": 2, "code": "corrupt_image", "details": "", "attempts": 2}
    ]


def test_a_result_that_is_gone_becomes_an_error(storage: LocalFolder) -> None:
    job, items = new_records(2)
    finish(job, items[0])
    finish(job, items[1], storage)
    found = archive(job, items, storage)
    assert [entry["file"] for entry in orjson.loads(found.read("metadata.json"))] == ["photo 2-no-bg.png"]
    assert [entry["code"] for entry in orjson.loads(found.read("errors.json"))] == ["result_expired"]


def test_result_replaced_in_the_meantime_is_the_new_one(storage: LocalFolder) -> None:
    job, items = new_records(2)
    finish(job, items[0])
    finish(job, items[1], storage)
    _, (newer, _) = new_records(2)
    finish(job, newer)
    newer.id = items[0].id
    newer.result_key, newer.revision = f"results/{job.id}/1-1ab.png", 1
    storage.put(newer.result_key, b"edited", "image/png")
    stream = stream_archive(JobSnapshot(job, items, None), storage, {items[0].id: newer}.get)
    with zipfile.ZipFile(io.BytesIO(b"".join(stream))) as found:
        assert found.read("photo 1-no-bg.png") == b"edited"
        assert [entry["edited"] for entry in orjson.loads(found.read("metadata.json"))] == [True, False]


def test_results_of_equal_paths_get_distinct_files() -> None:
    job, items = new_records(5)
    for item, name in zip(items, ("a/cat.jpg", "A/cat.png", "b/cat.jpg", "cat.jpg", "../..\\a/c:at.jpg"), strict=True):
        item.name = name
        finish(job, item)
    assert list(result_names(items).values()) == [
        "a/cat-no-bg.png",
        "A/cat-no-bg-2.png",
        "b/cat-no-bg.png",
        "cat-no-bg.png",
        "a/c_at-no-bg.png",
    ]
    assert result_name(items[0]) == "cat-no-bg.png"


def test_no_folder_of_results_is_named_like_a_report() -> None:
    job, items = new_records(2)
    for item, name in zip(items, ("errors.json/cat.jpg", "metadata.json/cat.jpg"), strict=True):
        item.name = name
        finish(job, item)
    assert list(result_names(items).values()) == ["errors.json-2/cat-no-bg.png", "metadata.json-2/cat-no-bg.png"]
