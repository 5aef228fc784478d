"""The files with all workers' counts: mapped into memory, one set for each worker's slot, read by a scrape."""

import contextlib
import fcntl
import os
import shutil
import stat
import struct
import tempfile
import time
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import values as prometheus_values
from prometheus_client.mmap_dict import MmapedDict

KIB: Final = 1024
# Space for all possible series (methods × endpoints × statuses, …), so that no file ever has to grow.
METRICS_FILES: Final = {"counter": 512 * KIB, "histogram": 256 * KIB, "gauge_sum": 64 * KIB, "gauge_max": 64 * KIB}
ROOM_BYTES: Final = sum(METRICS_FILES.values())
PREFIX: Final = "bg-remover-counts-"
# Younger folders may not be locked yet.
ABANDONED_SECONDS: Final = 60.0
# A gauge in prometheus_client's files: its value, and the time of some kinds.
ZERO: Final = struct.pack("dd", 0.0, 0.0)


def use_metrics_slot(folder: Path, slot: int) -> None:
    """From now on this process counts into the files of `slot`; call it after the fork, before `Metrics` is made.

    prometheus_client names a process's files by its pid and keeps those of dead ones for ever. A worker takes over
    the slot of the one it replaces, and with it the counts: there are never more slots than workers at a time.

    The files are mapped, and a mapped page that the disk has no space for kills the process (SIGBUS). So their space is
    taken here, for all series there can be; where there is none, this process counts in memory, and no scrape sees it.
    """
    try:
        for name, size in METRICS_FILES.items():
            _reserve(folder / f"{name}_{slot}.db", size)
    except OSError as exc:
        structlog.get_logger("metrics").warning("no room for metrics: this worker's are lost", reason=str(exc))
        prometheus_values.ValueClass = prometheus_values.MutexValue
        return
    prometheus_values.ValueClass = prometheus_values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]


def clear_gauges(folder: Path, slot: int) -> None:
    """Set the gauges of a worker that has ended to 0; its counters stay.

    Their names stay where they are. A scrape may be reading the file, and would fail if the next worker wrote other
    names over those that it has half read.
    """
    for name in METRICS_FILES:
        file = folder / f"{name}_{slot}.db"
        if name.startswith("gauge") and file.exists():
            with file.open("r+b", buffering=0) as found:
                for _, _, _, position in MmapedDict.read_all_values_from_file(file):  # type: ignore[no-untyped-call]
                    found.seek(position)
                    found.write(ZERO)


def metrics_folder(preferred: str | None) -> str:
    """Return a new folder with space for a worker's metrics: in `preferred`, or else in the temporary folder.

    Where there is no space anywhere, metrics are lost, not the service. Folders of killed services are removed.
    """
    for place in {preferred or tempfile.gettempdir(), tempfile.gettempdir()}:
        _remove_abandoned(Path(place))
    folder = tempfile.mkdtemp(prefix=PREFIX, dir=preferred)
    with contextlib.suppress(OSError):
        if not _has_room(folder):
            folder, full = tempfile.mkdtemp(prefix=PREFIX), folder
            Path(full).rmdir()
        # Until the master and all workers, which inherit the lock, have ended.
        _lock(Path(folder))
    return folder


def _remove_abandoned(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            is_old = time.time() - found.st_mtime > ABANDONED_SECONDS
            if is_old and stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                lock = _lock(folder)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _lock(folder: Path) -> int:
    """Lock the folder until the returned descriptor is closed. Raises `OSError` where another process has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _has_room(folder: str) -> bool:
    probe = Path(folder, "room")
    try:
        _reserve(probe, ROOM_BYTES)
        probe.unlink()
    except OSError:
        return False
    return True


def _reserve(file: Path, size: int) -> None:
    """Grow the file to at least this size, with its pages allocated. A reader finds no file or a complete one."""
    if file.exists() and file.stat().st_size >= size:
        return
    new = file.with_suffix(".new")
    try:
        new.write_bytes(bytes(size))
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
