"""Archives of chosen items: their content, and the report on the items without a result."""

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from services.archives.errors import ArchiveTooLarge
from services.jobs import chosen_archive
from services.jobs.archive import METADATA
from services.jobs.chosen_archive import ChosenArchives, ChosenItem, Made, Manifest, Records
from services.jobs.errors import ItemNotFinished, ItemNotFound
from services.jobs.tables import FAILED, FINISHED, Job, JobItem
from services.storage.errors import ObjectNotFound, ResultExpired
from services.storage.local import LocalFolder
from tests.support.jobs import FACTS, new_records

Found = dict[str, tuple[Job, JobItem]]


@pytest.fixture
def storage(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path, "secret")


def records(storage: LocalFolder, *names: str) -> Found:
    """A job with a finished item of each name."""
    job, items = new_records(len(names))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for item, name in zip(items, names, strict=True):
        item.name, item.state, item.result, item.attempts = name, FINISHED, FACTS, 1
        item.result_key = f"results/{job.id}/{item.position}.png"
        item.started_at, item.finished_at = start, start + timedelta(seconds=1.5)
        storage.put(item.result_key, b"result %d" % item.position, "image/png")
    return {item.id: (job, item) for item in items}


def archives(storage: LocalFolder, found: Found) -> ChosenArchives:
    def find(ids: Sequence[str]) -> Records:
        return {item_id: found[item_id] for item_id in ids if item_id in found}

    return ChosenArchives(storage, find, lambda _id: None)


def chosen(found: Found, *names: str, metadata: bool = True) -> Manifest:
    items = [ChosenItem(job_id=job.id, item_id=item.id) for job, item in found.values()]
    given = [item.model_copy(update={"name": name}) for item, name in zip(items, names, strict=False)]
    return Manifest(items=(*given, *items[len(given) :]), metadata=metadata)


def opened(made: Made, parts: ChosenArchives) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(parts.stream(made.key))))


def test_results_get_the_chosen_names_made_harmless_and_distinct(storage: LocalFolder) -> None:
    found = records(storage, "a.jpg", "b.jpg", "summer/c.jpg", "d.jpg", "e.jpg")
    parts = archives(storage, found)
    made = parts.make(chosen(found, "shoes/red", "shoes/RED.jpeg", "", "../../etc/v1.2 final", "shoes/red.png"))
    assert (made.files, made.bytes) == (5, 5 * FACTS.bytes)
    with opened(made, parts) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            *("shoes/red.png", "shoes/RED-2.png", "summer/c.png", "etc/v1.2 final.png", "shoes/red-3.png"),
            METADATA,
        ]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("summer/c.png") == b"result 3"


def test_archive_with_folders_named_like_files_can_be_unpacked(storage: LocalFolder, tmp_path: Path) -> None:
    found = records(storage, "a.jpg", "a.png/b.jpg", "c.png/d.jpg", "c.jpg", "metadata.json/e.jpg")
    parts = archives(storage, found)
    with opened(parts.make(chosen(found)), parts) as archive:
        archive.extractall(tmp_path / "unpacked")
        unpacked = {str(path.relative_to(tmp_path / "unpacked")) for path in (tmp_path / "unpacked").rglob("*.*")}
        assert {*archive.namelist(), "a.png-2", "c.png", "metadata.json-2"} == unpacked
        assert archive.read("c-2.png") == b"result 4"


def test_metadata_describes_every_image(storage: LocalFolder) -> None:
    found = records(storage, "a.jpg", "x/b.jpg", "c.jpg")
    _, edited, failed = (item for _, item in found.values())
    edited.revision = 1
    failed.state, failed.result, failed.error_code = FAILED, None, "corrupt_image"
    parts = archives(storage, found)
    made = parts.make(chosen(found))
    assert made.files == 2
    with opened(made, parts) as archive:
        first, second, third = orjson.loads(archive.read(METADATA))
    assert first == {
        "name": "a.jpg",
        "path": "a.png",
        "status": "finished",
        "width": 64,
        "height": 48,
        "bytes": 1234,
        "format": "png",
        "model": "u2netp",
        "confidence": 0.987,
        "seconds": 1.5,
        "edited": False,
        "error": None,
    }
    assert (second["path"], second["edited"]) == ("x/b.png", True)
    assert (third["path"], third["status"], third["width"]) == (None, "failed", None)
    assert third["error"] == {"code": "corrupt_image", "details": ""}


def test_archive_has_no_metadata_unless_it_is_wanted(storage: LocalFolder) -> None:
    found = records(storage, "a.jpg")
    parts = archives(storage, found)
    with opened(parts.make(chosen(found, metadata=False)), parts) as archive:
        assert archive.namelist() == ["a.png"]


def test_item_that_is_not_the_callers_is_refused(storage: LocalFolder) -> None:
    found = records(storage, "a.jpg", "b.jpg")
    wanted = chosen(found)
    with pytest.raises(ItemNotFound):
        archives(storage, dict(list(found.items())[:1])).make(wanted)
    other = wanted.items[0].model_copy(update={"job_id": "0" * 32})
    with pytest.raises(ItemNotFound):
        archives(storage, found).make(Manifest(items=(other,)))


def test_archive_without_any_result_is_refused(storage: LocalFolder) -> None:
    found = records(storage, "a.jpg")
    ((job, item),) = found.values()
    job.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(ResultExpired):
        archives(storage, found).make(chosen(found))
    job.expires_at, item.state = None, FAILED
    with pytest.raises(ItemNotFinished):
        archives(storage, found).make(chosen(found))


def test_archive_is_bounded_in_bytes(storage: LocalFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    found = records(storage, "a.jpg", "b.jpg")
    monkeypatch.setattr(chosen_archive, "MAX_BYTES", 2 * FACTS.bytes - 1)
    with pytest.raises(ArchiveTooLarge, match=str(2 * FACTS.bytes)):
        archives(storage, found).make(chosen(found))


def test_metadata_reports_results_that_are_lost_before_the_download(storage: LocalFolder) -> None:
    found = records(storage, "a.jpg", "b.jpg", "c.jpg")
    parts = archives(storage, found)
    made = parts.make(chosen(found))
    lost, erased, _ = list(found)
    storage.delete([found[lost][1].result_key or ""])
    del found[erased]
    with opened(made, parts) as archive:
        assert archive.namelist() == ["c.png", METADATA]
        entries = orjson.loads(archive.read(METADATA))
    assert [(entry["name"], entry["error"] and entry["error"]["code"]) for entry in entries] == [
        ("a.jpg", "result_expired"),
        ("c.jpg", None),
    ]


def test_manifest_that_was_deleted_is_expired(storage: LocalFolder) -> None:
    found = records(storage, "a.jpg")
    parts = archives(storage, found)
    made = parts.make(chosen(found))
    storage.delete([made.key])
    with pytest.raises(ObjectNotFound):
        parts.stream(made.key)
    storage.put(made.key, b"{}", "application/json")
    with pytest.raises(ResultExpired):
        parts.stream(made.key)
