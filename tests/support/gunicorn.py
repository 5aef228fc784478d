"""Run the service and its worker as real processes on free loopback ports."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import requests

from tests.support import tiny_models
from tests.support.waiting import ROOT, free_port, poll

SECRET_KEY: Final = "a key for tests alone"
# The default model: for results that are compared with those of another program, and for a model that takes its time.
U2NETP: Final = {"REMBG_MODEL_NAME": "u2netp", "REMBG_SESSION_PATH": ROOT / "models"}


class _LoggedProcess:
    """A process with the test's settings, a clean environment, and its output in a file."""

    def __init__(self, name: str, settings: Mapping[str, object]) -> None:
        self.log_path = Path(tempfile.mkstemp(prefix=f"{name}-", suffix=".log")[1])
        self._settings = settings

    def _start(self, command: Sequence[str], cwd: Path = ROOT) -> None:
        keep = ("PATH", "HOME", "TMPDIR", "LANG")
        env = {name: os.environ[name] for name in keep if name in os.environ}
        env |= {name: str(value) for name, value in self._settings.items()}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=cwd, env=env, stdout=log, stderr=log)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.log_path.unlink(missing_ok=True)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")


class Gunicorn(_LoggedProcess):
    """`gunicorn -c gunicorn.conf.py` with the test's settings and a clean environment."""

    def __init__(
        self, *, ready: bool = True, cwd: Path = ROOT, port: int = 0, wrapper: Sequence[str] = (), **settings: object
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._wait_ready = ready
        self._cwd = cwd
        # A command that replaces itself with the command after it, so that `process` is Gunicorn.
        self._wrapper = wrapper
        super().__init__(
            "gunicorn",
            {
                "HOST": "127.0.0.1",
                "PORT": self.port,
                "RATE_LIMIT_ENABLED": "false",
                # Every test calls over loopback.
                "RATE_LIMIT_LOOPBACK": "true",
                # Requests written by hand name any host.
                "ALLOWED_HOSTS": "*",
                "REMBG_SESSION_PATH": ROOT / "models",
                "SECRET_KEY": SECRET_KEY,
                # Generated requests contain URLs of other hosts.
                "FETCH_ENABLED": "false",
                **settings,
            },
        )

    def __enter__(self) -> Self:
        command = [
            *self._wrapper,
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            str(ROOT / "gunicorn.conf.py"),
            "--chdir",
            str(ROOT),
        ]
        self._start(command, self._cwd)
        try:
            if self._wait_ready:
                poll(self.is_ready, what=f"{self.url}/health/ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def is_ready(self) -> bool:
        """Return whether the service is ready. Raises AssertionError with the log if the server has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"gunicorn ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        try:
            return requests.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return sorted(int(pid) for pid in text.split())


class QuickGunicorn(Gunicorn):
    """The service with a tiny model, for tests that check no mask: bright pixels are the subject.

    It starts in three quarters of the processor time, and an image takes a quarter.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**tiny_models.quick(), **settings})


class Worker(_LoggedProcess):
    """`python worker.py` with the test's settings: Celery's main process, its children, and the sweeper."""

    def __init__(self, **settings: object) -> None:
        super().__init__("worker", {"REMBG_SESSION_PATH": ROOT / "models", "PYTHONWARNINGS": "ignore", **settings})

    def __enter__(self) -> Self:
        self._start([sys.executable, str(ROOT / "worker.py")])
        return self


class Sweeper(_LoggedProcess):
    """`python sweeper.py` with the test's settings, without a worker."""

    def __enter__(self) -> Self:
        self._start([sys.executable, str(ROOT / "sweeper.py")])
        return self


# A `sitecustomize.py` that hangs on resolving redis.example. The waiting thread is named "hangs".
HANGING_RESOLVER = """
import socket, time
known = socket.getaddrinfo
def getaddrinfo(host, *args, **kwargs):
    if host != "redis.example":
        return known(host, *args, **kwargs)
    with open("/proc/thread-self/comm", "w") as name:
        name.write("hangs")
    time.sleep(3600)
socket.getaddrinfo = getaddrinfo
"""
