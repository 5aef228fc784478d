"""Keeps the data folder of `make run` private, and in it a secret, so that links and cookies survive a restart."""

import contextlib
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

# As SECRET_KEY in settings/values.py needs it.
MIN_CHARS: Final = 16


def keep_private(folder: Path) -> None:
    """Make the folder, or narrow one that others may look into. Raises `OSError`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        folder.chmod(0o700)


def kept_secret(file: Path) -> str:
    """Return the secret in `file`, which is made if there is none, readable by its owner alone.

    Of several processes that make it at the same time, all get the same one. Raises `OSError`.
    """
    keep_private(file.parent)
    with contextlib.suppress(FileNotFoundError):
        found = file.read_text().strip()
        if len(found) >= MIN_CHARS:
            file.chmod(0o600)
            return found
        # Cut off or emptied.
        file.unlink()
    # Private from the beginning: mkstemp makes files of mode 0600.
    descriptor, new = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(descriptor, "w") as writer:
            writer.write(secrets.token_hex(32) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(new, file)
    finally:
        Path(new).unlink()
    return file.read_text().strip()
