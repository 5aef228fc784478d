"""Processes."""

from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether the process lives; one that has ended and that nobody has asked about yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
