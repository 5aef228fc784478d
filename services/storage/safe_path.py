"""Opens files inside a root folder without following symlinks (openat, O_NOFOLLOW).

Each part of a path is opened relative to its parent, so that nothing outside the root is reached, not even by swapping
a link between a check and its use.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path


def open_folder(folder: Path, parts: Sequence[str], *, make: bool = False) -> int:
    """Open `folder`/`parts` and return its descriptor; `make` creates missing folders, for this user alone.

    `folder` itself may be a link. A created folder is on disk once something in it is: Linux's file systems keep the
    order of their journal, and a folder's fsync writes its own name too. Raises OSError.
    """
    if make:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    current = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=current)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            current, above = os.open(part, flags, dir_fd=current), current
            os.close(above)
    except OSError:
        os.close(current)
        raise
    return current


def open_file(folder: Path, parts: Sequence[str]) -> int:
    """Open the file `folder`/`parts` for reading, without waiting for a pipe; return its descriptor. Raises OSError."""
    above = open_folder(folder, parts[:-1])
    try:
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=above)
    finally:
        os.close(above)
