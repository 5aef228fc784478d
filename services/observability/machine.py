"""Metrics of the machine below the service: processor time of its processes, and free space on its disks."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
# Of /proc/<pid>/stat, counted from the state: utime, stime, and those of its children that have ended.
TIMES: Final = slice(11, 15)


def service_pids() -> list[int]:
    """Return this process or, under Gunicorn, its master and siblings."""
    root = os.getppid() if "PROMETHEUS_MULTIPROC_DIR" in os.environ else os.getpid()
    return [root, *_children(root)]


class DiskUsage(NamedTuple):
    """The bytes of a disk."""

    total: int
    used: int
    free: int


def disk_usage(folder: Path) -> DiskUsage | None:
    """Return the disk usage at a folder, which may not exist yet; None where not even a parent exists."""
    existing = next((path for path in (folder, *folder.absolute().parents) if path.exists()), None)
    return DiskUsage(*shutil.disk_usage(existing)) if existing else None


class CpuSeconds(Collector):
    """`cpu_seconds_total`: processor time of the service, with that of workers that have ended."""

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        family.add_metric([], sum(map(_cpu_seconds, service_pids())))
        yield family

    def describe(self) -> Iterator[Metric]:
        yield self._family()

    @staticmethod
    def _family() -> CounterMetricFamily:
        return CounterMetricFamily("bg_remover_cpu_seconds", "Processor time of the service, in seconds")


class DiskSpace(Collector):
    """`disk_free_bytes` and `disk_size_bytes` of the disks that hold these folders, by what a folder is for."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)

    def collect(self) -> Iterator[Metric]:
        free, size = self._families()
        for name, folder in self._folders.items():
            if usage := disk_usage(folder):
                free.add_metric([name], usage.free)
                size.add_metric([name], usage.total)
        yield from (free, size)

    def describe(self) -> Iterator[Metric]:
        yield from self._families()

    @staticmethod
    def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily("bg_remover_disk_free_bytes", "Free bytes on the disk of a folder", labels=["folder"]),
            GaugeMetricFamily("bg_remover_disk_size_bytes", "Size of the disk of a folder", labels=["folder"]),
        )


def _children(pid: int) -> list[int]:
    try:
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (OSError, ValueError):
        return []


def _cpu_seconds(pid: int) -> float:
    try:
        # The name before the last bracket may hold spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        times = os.times()
        return sum(times[:4]) if pid == os.getpid() else 0.0
    return sum(map(int, fields[TIMES])) / TICKS_PER_SECOND
