"""`make run` starts web server, worker and broker; one signal ends them, and a dead part does not stop the others.

A stand-in for the worker prints its settings, so that these tests do not depend on jobs.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import redis
import requests

import run
from paths import env_files
from settings.names import environment
from tests.support.processes import is_running
from tests.support.waiting import ROOT, free_port, poll

DRIVER = """
import sys
import run
run.WORKER = (sys.executable, "-c", sys.argv[2])
if sys.argv[1] == "no binary":
    def none():
        raise run.BrokerUnavailable("there is no Valkey for Plan9 on mips")
    import services.launch.broker
    services.launch.broker.find_binary = none
sys.exit(run.main())
"""
WORKER = """
import os, time, redis
broker = redis.Redis.from_url(os.environ["JOB_BROKER_URL"])
print("up", os.getpid(), broker.incr("starts"), os.environ["JOBS_ENABLED"], os.environ["JOB_BROKER_URL"], flush=True)
time.sleep(600)
"""


class Run:
    """`run.py` in its own folder."""

    def __init__(self, folder: Path, parts: str = "worker", *, records: bool = True, **settings: object) -> None:
        (folder / "data").mkdir(exist_ok=True)
        if records:
            (folder / "data/background-remover.db").touch()
        self.folder, self._parts, self._settings = folder, parts, settings
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = Path(tempfile.mkstemp(prefix="run-", suffix=".log")[1])

    def __enter__(self) -> Self:
        env: dict[str, Any] = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        env |= {
            "PYTHONPATH": ROOT,
            "REMBG_SESSION_PATH": ROOT / "models",
            "ANNOUNCE": "make run",
            "BGREMOVE_HOME": self.folder,
        }
        env |= {"PORT": self.port, **self._settings}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", DRIVER, self._parts, WORKER],
                cwd=self.folder,
                env={name: str(value) for name, value in env.items()},
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        self.log_path.unlink()

    def log(self) -> str:
        return self.log_path.read_text()

    def wait_ready(self) -> None:
        poll(lambda: "Ready. The page" in self.log() or self.process.poll() is not None, 60, "readiness")
        assert self.process.poll() is None, self.log()

    def worker(self, start: int = 1) -> dict[str, str]:
        """Wait for that start of the worker; return the settings that it printed."""
        names = ("pid", "starts", "jobs", "broker")
        pattern = re.compile(r"^worker \| up (.*)$", re.MULTILINE)
        found = poll(lambda: pattern.findall(self.log())[start - 1 : start], 60, f"start {start} of the worker")
        return dict(zip(names, found[0].split(), strict=True))

    def children(self) -> list[int]:
        """Return the process ids of all descendants."""
        found, look = [], [self.process.pid]
        while look:
            pid = look.pop()
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text() if is_running(pid) else ""
            found += (pids := [int(word) for word in text.split()])
            look += pids
        return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with Run(tmp_path_factory.mktemp("run"), MAX_RUNNING_IMAGES=2) as one:
        one.wait_ready()
        yield one


def test_printed_curl_command_runs(running: Run, tmp_path: Path) -> None:
    line = next(line for line in running.log().splitlines() if line.startswith("  curl "))
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, timeout=60, capture_output=True)
    assert (tmp_path / "cutout.png").read_bytes().startswith(b"\x89PNG")


def test_run_listens_on_loopback_and_prints_what_opens_it(running: Run) -> None:
    assert f"http://127.0.0.1:{running.port}" in running.log()
    assert "To open it to the network: HOST=0.0.0.0 make run" in running.log()
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {fields[1] for fields in sockets if fields[3] == "0A" and fields[1].endswith(f":{running.port:04X}")}
    assert listening == {f"0100007F:{running.port:04X}"}


def test_run_keeps_its_secret_in_the_data_folder(running: Run) -> None:
    secret = (running.folder / "data/secret-key").read_text().strip()
    web = next(pid for pid in running.children() if "gunicorn" in Path(f"/proc/{pid}/cmdline").read_text())
    assert f"SECRET_KEY={secret}\0" in Path(f"/proc/{web}/environ").read_text()
    assert "SECRET_KEY" not in running.log()


def test_ordinary_start_and_image_log_no_warning(tmp_path: Path, small: bytes) -> None:
    # More than the quota of other callers.
    with Run(tmp_path, LOG_FORMAT="json") as quiet:
        quiet.wait_ready()
        quiet.worker()
        for _ in range(12):
            answer = requests.post(f"{quiet.url}/remove-background", files={"file": small}, timeout=60)
            assert answer.status_code == 200
        log = quiet.log()
    assert "overcommit" not in log
    assert "SECRET_KEY" not in log
    lines = [line for line in log.splitlines() if line.startswith("{")]
    assert len(lines) > 12
    assert {json.loads(line)["level"] for line in lines} == {"info"}
    others = "\n".join(line for line in log.splitlines() if not line.startswith("{"))
    assert not re.search(r"warn|error", others, re.IGNORECASE), others


def test_worker_gets_the_embedded_broker(running: Run) -> None:
    started = running.worker()
    assert started["jobs"] == "true"
    with redis.Redis.from_url(started["broker"]) as client:
        assert int(client.get("starts") or 0) >= 1
    assert (running.folder / "data/valkey/appendonlydir").is_dir()


def test_web_server_survives_dead_worker_and_broker(running: Run, jpeg: bytes) -> None:
    first = running.worker()
    with redis.Redis.from_url(first["broker"]) as client:
        client.set("kept", 1)
        broker = int(client.info("server")["process_id"])
        poll(lambda: any(b"kept" in p.read_bytes() for p in running.folder.rglob("*.aof")), 30, "its file")
        os.kill(broker, signal.SIGKILL)
        poll(lambda: _get(client, "kept") == b"1", 20, "the broker again, with its data")
    os.kill(int(first["pid"]), signal.SIGKILL)
    assert running.worker(2)["broker"] == first["broker"]
    answer = requests.post(f"{running.url}/remove-background", files={"file": jpeg}, timeout=60)
    assert answer.status_code == 200
    assert "web was" not in running.log()


def _get(client: redis.Redis, name: str) -> object:
    try:
        return client.get(name)
    except redis.RedisError:
        return None


def test_second_instance_in_one_folder_serves_without_jobs(running: Run) -> None:
    with Run(running.folder) as second:
        second.wait_ready()
        assert f"Jobs are off: {running.folder}/data/valkey is in use by another `make run`" in second.log()
        assert len([pid for pid in second.children() if os.getpgid(pid) == pid]) == 1


def test_worker_starts_with_the_first_record(tmp_path: Path) -> None:
    with Run(tmp_path, records=False) as running:
        running.wait_ready()
        # The web server and the broker.
        assert len([pid for pid in running.children() if os.getpgid(pid) == pid]) == 2
        (tmp_path / "data/background-remover.db").touch()
        assert running.worker()["jobs"] == "true"


def test_ctrl_c_ends_all_processes(tmp_path: Path) -> None:
    with Run(tmp_path) as running:
        running.wait_ready()
        running.worker()
        pids = running.children()
        # Two processes of the web server, the worker, and the broker.
        assert len(pids) >= 4
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(30) == 0
        poll(lambda: not any(map(is_running, pids)), 5, f"the end of {pids}")
        assert "killed" not in running.log()
        lines = [
            line.split(" |")[0].strip() for line in running.log().splitlines() if "bye" in line or "Master" in line
        ]
        # The broker stops last.
        assert lines[-1] == "valkey"


def test_invalid_setting_ends_the_run_with_a_message(tmp_path: Path) -> None:
    wrongs: tuple[dict[str, Any], ...] = ({"PORT": "many"}, {"TRUSTED_PROXIES": "-1"})
    for wrong in wrongs:
        with Run(tmp_path, **wrong) as running:
            assert running.process.wait(60) != 0
            assert f"{next(iter(wrong))} is" in running.log()
            assert "Traceback" not in running.log()
            assert "stopping everything" in running.log()


@pytest.mark.parametrize(
    ("parts", "settings", "message"),
    [
        (
            "no binary",
            {},
            "Jobs are off: there is no Valkey for Plan9 on mips. JOB_BROKER_URL=redis://... turns them on.",
        ),
        ("worker", {"JOBS_ENABLED": "false"}, "Jobs are off: JOBS_ENABLED=false."),
    ],
)
def test_missing_broker_or_disabled_jobs_are_reported(
    tmp_path: Path, parts: str, settings: dict[str, Any], message: str
) -> None:
    with Run(tmp_path, parts, **settings) as running:
        running.wait_ready()
        assert message in running.log().splitlines()
        assert len([pid for pid in running.children() if os.getpgid(pid) == pid]) == 1
        assert not (tmp_path / "data/valkey/valkey.conf").exists()


def test_sample_redis_url_counts_only_if_a_server_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run.is_chosen("redis://cache.example:6379/0")
    assert not run.is_chosen("")
    sample = (ROOT / ".env.sample").read_text()
    assert f"\nREDIS_URL={run.DEFAULT_REDIS_URL}\n" in sample
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        monkeypatch.setattr(run, "DEFAULT_REDIS", listener.getsockname())
        assert run.is_chosen(run.DEFAULT_REDIS_URL)
    assert not run.is_chosen(run.DEFAULT_REDIS_URL)


def test_environment_overrides_the_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("PORT=6001\nJOBS_ENABLED=off\nREDIS_URL=\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "6002")
    monkeypatch.delenv("REDIS_URL", raising=False)
    found = environment(env_files())
    assert (found["PORT"], found["JOBS_ENABLED"]) == ("6002", "off")
    assert "REDIS_URL" not in found
