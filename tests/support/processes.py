"""Inspect processes."""

from pathlib import Path


def is_running(pid: int) -> bool:
    """Return whether the process is running. A zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
