"""Small file systems for a server, and filling them up."""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.gunicorn import Gunicorn

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
