"""Memory: how much this process may use, and an allocator that gives it back."""

import ctypes
import ctypes.util
import os
from pathlib import Path
from typing import Final

from services.capacity.cpus import CGROUP, OWN_GROUPS, own_groups

MIB: Final = 1024 * 1024
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # glibc's malloc.h
KEPT_BYTES: Final = 32 * MIB  # free at an arena's end, for the next plane of floats: edges allocate hundreds of them
MMAP_BYTES: Final = 4 * MIB  # larger blocks are mapped on their own, and go back to the system when they are freed
ARENAS: Final = 2


def memory_limit_bytes(cgroup: Path = CGROUP, own: Path = OWN_GROUPS, meminfo: Path = Path("/proc/meminfo")) -> int:
    """The memory that this process and its siblings may use together: the machine's, or its cgroups' limit."""
    limits = [_meminfo_bytes(meminfo), _number(cgroup / "memory/memory.limit_in_bytes")]
    limits += [_number(group / "memory.max") for group in own_groups(cgroup, own)]
    return min((limit for limit in limits if limit), default=1 << 40)


def tame_allocator() -> None:
    """Make glibc give the memory of images back: two arenas, and pixel buffers in mappings of their own.

    By default it has eight arenas a CPU, each of which keeps what its threads freed, and it learns to take larger and
    larger blocks from them. Does nothing where there is no glibc.
    """
    try:
        libc = ctypes.CDLL(ctypes.util.find_library("c"))
        libc.mallopt(M_ARENA_MAX, ARENAS)
        libc.mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)  # else 128 KiB, as soon as the other one is set
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
