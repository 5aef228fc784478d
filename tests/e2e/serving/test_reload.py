"""SIGHUP reloads the settings with new workers. A mistake in `.env` ends nothing, also when a worker is replaced."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.gunicorn import QuickGunicorn
from tests.support.waiting import poll

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[QuickGunicorn]:
    (tmp_path / ".env").write_text("APP_NAME=First\n")
    with QuickGunicorn(BGREMOVE_HOME=tmp_path, MAX_WAITING_IMAGES=100) as running:
        yield running


def name_of(server: QuickGunicorn) -> str:
    found: str = requests.get(server.url, headers={"Accept": "application/json"}, timeout=30).json()["name"]
    return found


def test_reload_takes_the_new_settings_and_loses_no_request(server: QuickGunicorn, tmp_path: Path, jpeg: bytes) -> None:
    def post(number: int) -> int:
        if number == 5:
            (tmp_path / ".env").write_text("APP_NAME=Second\n")
            server.process.send_signal(signal.SIGHUP)
        files = {"file": ("a.jpg", jpeg)}
        return requests.post(f"{server.url}/remove-background", files=files, timeout=60).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(post, range(30))) == {200}
    poll(lambda: name_of(server) == "Second", what="the new name")
    # Counters go on.
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    assert 'bg_remover_images_total{format="jpeg",outcome="ok"} 30.0' in text


def test_reload_with_a_mistake_keeps_the_settings_and_says_so(server: QuickGunicorn, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("APP_NAME=Second\nMAX_REQUESTS=many\n")
    before = server.workers()
    server.process.send_signal(signal.SIGHUP)
    poll(lambda: "MAX_REQUESTS is 'many'" in server.log() and server.workers() not in (before, []), what="the reload")
    assert name_of(server) == "First"
    (tmp_path / ".env").write_text("APP_NAME=Second\n")
    server.process.send_signal(signal.SIGHUP)
    poll(lambda: name_of(server) == "Second", what="the corrected settings")


def test_replaced_worker_has_the_settings_of_the_others_not_of_a_half_written_file(
    server: QuickGunicorn, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("APP_NAME=Second\nMAX_REQUESTS=man")
    (worker,) = server.workers()
    os.kill(worker, signal.SIGKILL)
    poll(lambda: server.workers() not in ([worker], []) and server.is_ready(), what="another worker")
    assert name_of(server) == "First"
    assert "The settings are wrong" not in server.log()
