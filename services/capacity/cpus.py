"""How many CPUs this process may really use: a container's quota, not the host's count."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def usable_cpus(cgroup: Path = CGROUP, own: Path = OWN_GROUPS) -> int:
    """CPUs available to this process, at least 1: the smaller of its affinity and its cgroups' quotas.

    Reads cgroup v2 (`cpu.max`) and v1 (`cpu.cfs_quota_us`, `cpu.cfs_period_us`), of the process's own group (systemd's
    CPUQuota) and those above it; a quota of 1.5 CPUs counts as 2, so that the fraction is used as well.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_quota_v1(cgroup), *(_quota_v2(group) for group in own_groups(cgroup, own))]
    return max(1, min([affinity, *(math.ceil(quota) for quota in quotas if quota)]))


def own_groups(cgroup: Path, own: Path) -> list[Path]:
    """The folders of the process's cgroup (v2) and of all above it, the root included."""
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
