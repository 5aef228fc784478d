"""Give a server small file systems and fill them."""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.gunicorn import Gunicorn

MOUNT = 'for place in $(echo "$0" | tr : " "); do mount -t tmpfs -o size=2m tmpfs "$place" || exit 1; done; exec "$@"'


def small_disks(*places: str | Path) -> Sequence[str] | None:
    """Return a command that mounts a private 2 MiB file system on each folder and then runs the server.

    Returns None without permission to mount.
    """
    wrapper = ("unshare", "-m", "sh", "-c", MOUNT, ":".join(map(str, places)))
    try:
        made = subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    return wrapper if made else None


def fill(server: Gunicorn, folder: str | Path) -> Path:
    """Fill the server's file system at `folder`; return the file that fills it."""
    filler = Path(f"/proc/{server.process.pid}/root{folder}/filler")
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    assert os.statvfs(filler.parent).f_bavail == 0
    return filler
