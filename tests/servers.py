"""Real servers for tests: Gunicorn with this code, on a free loopback port, ended by its process id."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import requests

ROOT = Path(__file__).parent.parent
START_SECONDS = 60.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def poll(condition, seconds: float = START_SECONDS, what: str = "the condition"):  # type: ignore[no-untyped-def]
    """The condition's first true value, asked for until then. Raises AssertionError after `seconds`."""
    tick, end = threading.Event(), time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        tick.wait(0.02)
    raise AssertionError(f"{what} did not come true in {seconds:g} s")


class Gunicorn:
    """`gunicorn -c gunicorn.conf.py` with settings of the test's own; nothing of the caller's environment leaks in."""

    def __init__(self, *, ready: bool = True, cwd: Path = ROOT, port: int = 0, **settings: object) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._wait_ready = ready
        self._cwd = cwd
        self.log_path = Path(tempfile.mkstemp(prefix="gunicorn-", suffix=".log")[1])
        self._settings = {
            "HOST": "127.0.0.1",
            "PORT": self.port,
            "RATE_LIMIT_ENABLED": "false",
            "REMBG_SESSION_PATH": ROOT / "models",
            "SECRET_KEY": "test",
            "FETCH_ENABLED": "false",  # generated requests hold URLs of strangers
            **settings,
        }

    def __enter__(self) -> Self:
        keep = ("PATH", "HOME", "TMPDIR", "LANG")
        env = {name: os.environ[name] for name in keep if name in os.environ}
        env |= {name: str(value) for name, value in self._settings.items()}
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            str(ROOT / "gunicorn.conf.py"),
            "--chdir",
            str(ROOT),
        ]
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=self._cwd, env=env, stdout=log, stderr=log)
        if self._wait_ready:
            poll(self.is_ready, what=f"{self.url}/health/ready")
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.log_path.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether the model is warm. Raises AssertionError with the log when the server has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"gunicorn ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        try:
            return requests.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return sorted(int(pid) for pid in text.split())
