"""Real servers for tests: Gunicorn with this code, on a free loopback port, ended by its process id."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
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

    def __init__(
        self, *, ready: bool = True, cwd: Path = ROOT, wrapper: Sequence[str] = (), **settings: object
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._wait_ready = ready
        self._cwd = cwd
        self._wrapper = wrapper  # a command that runs the one that follows it, in its own process
        self.log_path = Path(tempfile.mkstemp(prefix="gunicorn-", suffix=".log")[1])
        self._settings = {
            "HOST": "127.0.0.1",
            "PORT": self.port,
            "RATE_LIMIT_ENABLED": "false",
            "REMBG_SESSION_PATH": ROOT / "models",
            "SECRET_KEY": "test",
            **settings,
        }

    def __enter__(self) -> Self:
        keep = ("PATH", "HOME", "TMPDIR", "LANG")
        env = {name: os.environ[name] for name in keep if name in os.environ}
        env |= {name: str(value) for name, value in self._settings.items()}
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
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=self._cwd, env=env, stdout=log, stderr=log)
        try:
            if self._wait_ready:
                poll(self.is_ready, what=f"{self.url}/health/ready")
        except BaseException:
            self.__exit__()
            raise
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
        except (requests.ConnectionError, requests.Timeout):
            return False

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return sorted(int(pid) for pid in text.split())


MOUNT = 'for place in $(echo "$0" | tr : " "); do mount -t tmpfs -o size=2m tmpfs "$place" || exit 1; done; exec "$@"'


def small_disks(*places: str | Path) -> Sequence[str] | None:
    """A `wrapper` that gives the server file systems of its own, 2 MiB large, at these folders; None where it can't."""
    wrapper = ("unshare", "-m", "sh", "-c", MOUNT, ":".join(map(str, places)))
    try:
        made = subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    return wrapper if made else None


def fill(server: Gunicorn, folder: str | Path) -> Path:
    """Use up the server's room in `folder`; the file that does."""
    filler = Path(f"/proc/{server.process.pid}/root{folder}/filler")
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    assert os.statvfs(filler.parent).f_bavail == 0
    return filler


# A `sitecustomize.py` with which one name does not resolve, and whoever asks for it hangs in a thread called so.
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
