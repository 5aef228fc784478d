"""Results stored in a local folder and in S3, and errors while the storage is unavailable."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from services.storage.local import LocalFolder
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.servers.s3 import SeaweedFS
from tests.support.waiting import poll

SECRET = "of these tests alone"


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage") / "objects"


@pytest.fixture(scope="module")
def stored(objects: Path) -> Iterator[Gunicorn]:
    """A service with a local folder as its storage."""
    with QuickGunicorn(STORAGE_URL=f"file:{objects}", SECRET_KEY=SECRET) as running:
        yield running


def remove(server: Gunicorn, small: bytes, key: str | None = None, **how: Any) -> requests.Response:
    params: dict[str, Any] = {"max_width": 32, **({"output_key": key} if key is not None else {})}
    return requests.post(f"{server.url}/remove-bg", params=params, files={"file": small}, timeout=60, **how)


def refused(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def check(server: Gunicorn) -> dict[str, Any]:
    answer = requests.get(f"{server.url}/health", timeout=5)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()["parts"]["storage"]
    return found


def test_result_is_stored_and_returned(stored: Gunicorn, objects: Path, small: bytes) -> None:
    answer = remove(stored, small, "shop/cat.png", headers={"Origin": "https://shop.example"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Output-Key"] == "results/shop/cat.png"
    assert "X-Output-Key" in answer.headers["Access-Control-Expose-Headers"]
    assert (objects / "results/shop/cat.png").read_bytes() == answer.content
    assert "X-Output-Key" not in remove(stored, small).headers
    again = requests.post(
        f"{stored.url}/remove-bg",
        data={"output_key": "shop/cat.png", "output": "mask"},
        files={"file": small},
        timeout=60,
    )
    assert (objects / "results/shop/cat.png").read_bytes() == again.content != answer.content
    poll(lambda: check(stored) == {"status": "ok"}, what="a healthy storage")


def test_output_key_cannot_leave_the_results_folder(stored: Gunicorn, objects: Path, small: bytes) -> None:
    for key in ("../a.png", "/etc/a.png", "a/../../a.png", "..", "a//b", "a/", ".a", "a b", "a%2fb\\c", "a" * 600):
        answer = remove(stored, b"no image: the key is checked first", key)
        assert refused(answer) == (400, "bad_option")
        assert "output_key" in answer.json()["details"]
    assert {path.name for path in objects.parent.iterdir()} <= {"objects"}


def test_signed_link_works_until_it_expires(stored: Gunicorn, objects: Path) -> None:
    local = LocalFolder(objects, SECRET)
    local.put("results/a.webp", b"picture" * 100_000, "image/webp")

    def get(key: str = "results/a.webp", seconds: int = 60, name: str = "photo-no-bg.webp") -> requests.Response:
        return requests.get(stored.url + local.url(key, seconds, name), timeout=10)

    answer = get()
    assert (answer.status_code, answer.content) == (200, b"picture" * 100_000)
    assert answer.headers["Content-Length"] == "700000"
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Content-Disposition"] == "attachment; filename=photo-no-bg.webp"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer.headers["Cache-Control"]
    assert "filename*=UTF-8''%C3%BC.png" in get(name="ü.png").headers["Content-Disposition"]
    assert get(name="page.html").headers["Content-Type"] == "application/octet-stream"
    assert refused(get(seconds=0)) == (410, "result_expired")
    assert refused(get("results/missing.webp")) == (410, "result_expired")
    forged = LocalFolder(objects, "another").url("results/a.webp", 60, "a.webp")
    assert refused(requests.get(stored.url + forged, timeout=10)) == (403, "forbidden")
    assert answer.url.rpartition("/")[2] not in stored.log()
    assert "/files/…" in stored.log()
    assert refused(requests.get(stored.url + "/files/results/a.webp", timeout=10)) == (404, "not_found")


def test_output_key_without_storage_is_refused(server: Gunicorn, small: bytes) -> None:
    answer = remove(server, small, "a.png")
    assert refused(answer) == (400, "bad_option")
    assert "no object storage" in answer.json()["details"]
    assert check(server) == {"status": "off"}


def test_lost_folder_is_reported_and_removals_continue(stored: Gunicorn, objects: Path, small: bytes) -> None:
    aside = objects.rename(objects.with_name("aside"))
    objects.write_text("a file where the folder was")
    try:
        lost = remove(stored, small, "a.png")
        assert refused(lost) == (503, "storage_unavailable")
        assert int(lost.headers["Retry-After"]) >= 1
        assert remove(stored, small).status_code == 200
        poll(lambda: check(stored)["status"] == "warning", 30, "the warning")
    finally:
        objects.unlink()
        aside.rename(objects)
    assert remove(stored, small, "a.png").status_code == 200
    assert refused(remove(stored, small, "a.png/b.png")) == (400, "bad_option")
    poll(lambda: check(stored)["status"] == "ok", 30, "the folder's return")


@pytest.mark.long
def test_lost_s3_is_reported_without_using_quota_and_recovers(seaweedfs: SeaweedFS, small: bytes) -> None:
    key = f"{uuid.uuid4().hex}.png"
    with QuickGunicorn(RATE_LIMIT_ENABLED="true", **seaweedfs.settings) as running:
        answer = remove(running, small, key)
        assert (answer.status_code, answer.headers["X-Output-Key"]) == (200, f"results/{key}")
        client = seaweedfs.client()
        found = client.get_object(Bucket=seaweedfs.bucket, Key=f"results/{key}")
        assert (found["ContentType"], found["Body"].read()) == ("image/png", answer.content)
        client.close()
        assert requests.get(f"{running.url}/files/aaaa", timeout=10).status_code == 404
        poll(lambda: check(running)["status"] == "ok", 30, "the bucket's check")
        seaweedfs.kill()
        try:
            assert refused(remove(running, small, key)) == (503, "storage_unavailable")
            # Only two requests have used quota so far.
            assert remove(running, small).headers["X-RateLimit-Remaining"] == "8"
            poll(lambda: check(running)["status"] == "warning", 30, "the warning")
        finally:
            seaweedfs.start()
        poll(lambda: remove(running, small, key).status_code == 200, 30, "the return of S3")
        poll(lambda: check(running)["status"] == "ok", 30, "the check's return")
        assert seaweedfs.secret_access_key not in running.log()
