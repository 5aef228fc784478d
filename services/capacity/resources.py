"""The CPUs and the memory that this process may use, and an allocator that returns memory to the system."""

import ctypes
import ctypes.util
import math
import os
import resource
import sys
from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024
CGROUP = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # glibc's malloc.h
# Kept free at an arena's end for the next plane of floats: edges allocate hundreds of them.
KEPT_BYTES: Final = 32 * MIB
# Larger blocks get mappings of their own and return to the system when they are freed.
MMAP_BYTES: Final = 4 * MIB
ARENAS: Final = 2


def memory_limit_bytes(cgroup: Path = CGROUP, own: Path = OWN_GROUPS, meminfo: Path = Path("/proc/meminfo")) -> int:
    """Return the memory that this process and its siblings may use together: the machine's, or their cgroups' limit."""
    limits = [_meminfo_bytes(meminfo), _number(cgroup / "memory/memory.limit_in_bytes")]
    limits += [_number(group / "memory.max") for group in own_groups(cgroup, own)]
    return min((limit for limit in limits if limit), default=1 << 40)


def process_bytes(status: Path = Path("/proc/self/status")) -> int:
    """Return the memory that this process holds now; where the system does not say, the most that it has held."""
    line = next((text for text in _read(status).splitlines() if text.startswith("VmRSS:")), "")
    if line:
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In bytes on macOS, in KiB elsewhere.
    return peak if sys.platform == "darwin" else peak * 1024


def tame_allocator() -> None:
    """Make glibc return the memory of images: two arenas, and pixel buffers in mappings of their own.

    By default it has eight arenas a CPU, each of which keeps what its threads freed, and it learns to take ever larger
    blocks from them. Does nothing without glibc.
    """
    try:
        libc = ctypes.CDLL(ctypes.util.find_library("c"))
        libc.mallopt(M_ARENA_MAX, ARENAS)
        libc.mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
        # Setting the other threshold would reset this one to 128 KiB.
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    except (OSError, AttributeError, TypeError):
        return


def _meminfo_bytes(path: Path) -> int:
    try:
        line = next(text for text in path.read_text().splitlines() if text.startswith("MemTotal:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")  # not Linux
    except (OSError, ValueError, AttributeError):
        return 0


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0  # "max", or no such file: no limit


def usable_cpus(cgroup: Path = CGROUP, own: Path = OWN_GROUPS) -> int:
    """Return the CPUs available to this process, at least 1: the smaller of its affinity and its cgroups' quotas.

    Reads cgroup v2 (`cpu.max`) and v1 (`cpu.cfs_quota_us`, `cpu.cfs_period_us`), of the process's own group (systemd's
    CPUQuota) and those above it. A quota of 1.5 CPUs counts as 2, so that the fraction is used as well.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_quota_v1(cgroup), *(_quota_v2(group) for group in own_groups(cgroup, own))]
    return max(1, min([affinity, *(math.ceil(quota) for quota in quotas if quota)]))


def own_groups(cgroup: Path, own: Path) -> list[Path]:
    """Return the folders of the process's cgroup (v2) and of all above it, the root included."""
    line = next((text for text in _read(own).splitlines() if text.startswith("0::/")), "0::/")
    group = cgroup / line.removeprefix("0::/")
    return [folder for folder in (group, *group.parents) if folder.is_relative_to(cgroup)]


def _quota_v2(cgroup: Path) -> float | None:
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    return _ratio(quota, period)


def _quota_v1(cgroup: Path) -> float | None:
    return _ratio(_read(cgroup / "cpu/cpu.cfs_quota_us"), _read(cgroup / "cpu/cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return None  # "max", "-1" or no such file: no limit
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
