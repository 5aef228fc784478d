"""Full disks: the same workers keep answering, and data that cannot be written is dropped or redirected.

The server runs in a mount namespace with small file systems, which only root can create.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import requests

from tests.support.disks import fill, small_disks
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.waiting import poll


def small(*places: str | Path) -> Sequence[str]:
    """Return a wrapper command that limits each folder to 2 MiB. Skips the test if that is impossible."""
    wrapper = small_disks(*places)
    if wrapper is None:
        pytest.skip("file systems can't be mounted here (it takes root, and unshare)")
    return wrapper


def post(server: Gunicorn, data: bytes) -> int:
    answer = requests.post(f"{server.url}/remove-background", files={"file": ("a.jpg", data)}, timeout=60)
    return answer.status_code


def counted(server: Gunicorn) -> float:
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("bg_remover_images_tot"))


def test_full_shared_memory_loses_no_worker_and_no_count(jpeg: bytes) -> None:
    with QuickGunicorn(wrapper=small("/dev/shm")) as server:
        workers = server.workers()
        fill(server, "/dev/shm")
        assert [post(server, jpeg), post(server, b"no image")] == [200, 415]
        # Each path adds a new time series.
        for path in ("/models", "/health", "/health/live", "/openapi.json", "/docs", "/nothing"):
            assert requests.get(server.url + path, timeout=10).status_code in (200, 404)
        assert counted(server) == 2
        # The replacement reuses the dead worker's files and needs no new space.
        os.kill(workers[0], 9)
        poll(lambda: server.workers() and server.workers() != workers)
        poll(server.is_ready)
        assert post(server, jpeg) == 200
        assert counted(server) == 3


def test_shared_memory_full_at_start_is_not_used(jpeg: bytes) -> None:
    wrapper = list(small("/dev/shm"))
    wrapper[4] = wrapper[4].replace("exec", "head -c 4m /dev/zero > /dev/shm/filler 2>/dev/null; exec")
    with QuickGunicorn(wrapper=wrapper) as server:
        workers = server.workers()
        assert post(server, jpeg) == 200
        assert counted(server) == 1
        assert server.workers() == workers


def test_full_disks_lose_only_metrics(jpeg: bytes) -> None:
    wrapper = list(small("/dev/shm"))
    wrapper[4] = wrapper[4].replace("exec", "head -c 4m /dev/zero > /dev/shm/filler 2>/dev/null; exec")
    with QuickGunicorn(wrapper=wrapper, TMPDIR="/dev/shm") as server:
        workers = server.workers()
        assert post(server, jpeg) == 200
        assert requests.get(f"{server.url}/metrics", timeout=10).status_code == 200
        assert server.workers() == workers


def test_full_temporary_folder_has_no_effect(photo_12mp: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, QuickGunicorn(wrapper=small(folder), TMPDIR=folder) as server:
        workers = server.workers()
        fill(server, folder)
        assert post(server, photo_12mp) == 200
        assert server.workers() == workers


@pytest.mark.parametrize("rotate_mb", ["0", "0.5"])
def test_full_log_disk_sends_lines_to_standard_error(rotate_mb: str) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        QuickGunicorn(wrapper=small(folder), LOG_FILE=f"{folder}/app.log", LOG_ROTATE_MB=rotate_mb) as server,
    ):

        def ask(number: int) -> bool:
            url, headers = f"{server.url}/models", {"X-Request-ID": f"n{number}."}
            return requests.get(url, headers=headers, timeout=10).status_code == 200

        assert ask(0)
        filler = fill(server, folder)
        assert all(ask(number) for number in range(1, 60))
        lines = server.log().splitlines()
        assert any('"n59."' in line for line in lines)
        assert {json.loads(line)["event"] for line in lines if line.startswith("{")} >= {"request"}
        assert "Traceback" not in server.log()
        filler.unlink()
        assert ask(60)
        assert '"n60."' in (filler.parent / "app.log").read_text()
