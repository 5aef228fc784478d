"""A finished item gets a mask of its caller's: files, record, and what a failure leaves behind."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from services.capacity.deadline import Deadline
from services.errors import DatabaseUnavailable
from services.imaging.extras import Extras
from services.imaging.formats import Format
from services.imaging.options import Options
from services.imaging.pipeline import Result
from services.imaging.png import write_png
from services.jobs.edit import Edit, MaskEditor, is_grey_png
from services.jobs.errors import ItemChanged
from services.jobs.queries import JobQueries
from services.jobs.results import put_result
from services.jobs.store import JobStore
from services.jobs.tables import Job, JobItem, item_id
from services.removal import Remover
from services.storage.errors import StorageUnavailable
from services.storage.local import LocalFolder
from tests.support.jobs import RESULT, finish_job, insert_job

GREY = write_png(np.full((4, 4), 255, dtype=np.uint8))
EDIT = Edit(GREY, Options())


class FakeRemover:
    """Makes `EDITED` of every mask; notes what it was given."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def compose(self, data: bytes, _options: Options, *, extras: Extras, **more: Any) -> Result:
        self.given.append({"data": data, **more})
        extras.mask, extras.preview = b"a matte", b"a small picture"
        return replace(RESULT, data=b"edited", format=Format.WEBP, model="none", confidence=1.0)


@pytest.fixture
def storage(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "objects", "secret")


@pytest.fixture
def remover() -> FakeRemover:
    return FakeRemover()


@pytest.fixture
def editor(store: JobStore, storage: LocalFolder, remover: FakeRemover) -> MaskEditor:
    return MaskEditor(store, storage, cast(Remover, remover))


def finished(store: JobStore, storage: LocalFolder, **more: Any) -> str:
    job_id = insert_job(store, **more)
    finish_job(store, job_id)
    storage.put(f"originals/{job_id}/1", b"a photo", "")
    put_result(storage, f"results/{job_id}/1.png", RESULT, Extras(b"mask", b"preview"))
    return job_id


def item_of(store: JobStore, job_id: str) -> tuple[Job, JobItem]:
    return JobQueries(store.database).item(job_id, item_id(job_id, 1), None)


def keys(storage: LocalFolder) -> set[str]:
    return {stored.key for stored in storage.list("") if not stored.key.startswith("originals/")}


def content(storage: LocalFolder, key: str) -> bytes:
    with storage.open(key) as opened:
        return b"".join(opened)


def test_result_mask_and_preview_are_replaced_together(
    store: JobStore, storage: LocalFolder, editor: MaskEditor, remover: FakeRemover
) -> None:
    job_id = finished(store, storage)
    editor.replace(*item_of(store, job_id), EDIT, Deadline())
    _, item = item_of(store, job_id)
    assert item.revision == 1
    assert item.result
    assert item.result_key
    assert (item.result.format, item.result.model, item.result.confidence) == ("webp", "u2netp", 0.987)
    stem = item.result_key.removeprefix("results/").removesuffix(".webp")
    assert keys(storage) == {f"results/{stem}.webp", f"masks/{stem}.png", f"previews/{stem}.webp"}
    assert content(storage, item.result_key) == b"edited"
    assert content(storage, f"masks/{stem}.png") == GREY
    assert content(storage, f"previews/{stem}.webp") == b"a small picture"
    assert (remover.given[0]["data"], remover.given[0]["mask"]) == (b"a photo", GREY)


def test_mask_that_is_not_a_grey_png_is_stored_as_one(
    store: JobStore, storage: LocalFolder, editor: MaskEditor
) -> None:
    job_id = finished(store, storage)
    editor.replace(*item_of(store, job_id), Edit(b"another kind of image", Options()), Deadline())
    (mask,) = [key for key in keys(storage) if key.startswith("masks/")]
    assert content(storage, mask) == b"a matte"


@pytest.mark.parametrize(
    ("options", "background"),
    [(Options(), b"a beach"), (Options.parse({"background": "red"}), None),
     (Options.parse({"background_gradient": "90 #fff #ddd"}), None),
     (Options.parse({"background_blur": "20"}), None)],
)  # fmt: skip
def test_image_of_the_job_stays_behind_unless_another_background_is_chosen(
    store: JobStore,
    storage: LocalFolder,
    editor: MaskEditor,
    remover: FakeRemover,
    options: Options,
    background: bytes | None,
) -> None:
    storage.put("originals/background", b"a beach", "")
    job_id = finished(store, storage, background_key="originals/background")
    editor.replace(*item_of(store, job_id), Edit(GREY, options), Deadline())
    editor.replace(*item_of(store, job_id), Edit(GREY, options, b"a wall"), Deadline())
    assert [given["background"] for given in remover.given] == [background, b"a wall"]


def test_second_of_two_edits_of_one_revision_is_refused(
    store: JobStore, storage: LocalFolder, editor: MaskEditor
) -> None:
    job_id = finished(store, storage)
    job, item = item_of(store, job_id)
    editor.replace(job, item, EDIT, Deadline())
    before = keys(storage)
    with pytest.raises(ItemChanged):
        editor.replace(job, item, EDIT, Deadline())
    assert keys(storage) == before
    assert item_of(store, job_id)[1].revision == 1


def test_failed_storage_keeps_the_old_result(store: JobStore, storage: LocalFolder, remover: FakeRemover) -> None:
    class Full(LocalFolder):
        def put(self, key: str, data: Any, content_type: str) -> None:
            if key.startswith("results/"):
                raise StorageUnavailable("the disk is full")
            super().put(key, data, content_type)

    job_id = finished(store, storage)
    before = keys(storage)
    full = Full(storage._folder, "secret")
    with pytest.raises(StorageUnavailable):
        MaskEditor(store, full, cast(Remover, remover)).replace(*item_of(store, job_id), EDIT, Deadline())
    assert keys(storage) == before
    assert item_of(store, job_id)[1].revision == 0


def test_lost_database_leaves_both_results(store: JobStore, storage: LocalFolder, remover: FakeRemover) -> None:
    class Lost(JobStore):
        def replace_result(self, *_: Any) -> bool:
            raise DatabaseUnavailable("gone")

    job_id = finished(store, storage)
    with pytest.raises(DatabaseUnavailable):
        MaskEditor(Lost(store.database, result_seconds=1), storage, cast(Remover, remover)).replace(
            *item_of(store, job_id), EDIT, Deadline()
        )
    assert len(keys(storage)) == 6


def test_only_eight_bit_grey_is_a_grey_png() -> None:
    assert is_grey_png(GREY)
    assert not is_grey_png(GREY[:20])
    assert not is_grey_png(write_png(np.zeros((4, 4, 3), dtype=np.uint8)))
    assert not is_grey_png(b"\xff\xd8\xff" + GREY[3:])
    assert not is_grey_png(GREY[:24] + b"\x10" + GREY[25:])
