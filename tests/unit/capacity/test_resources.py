"""The CPUs and the memory of cgroups v1 and v2, read from folders that imitate the kernel's."""

import os
from pathlib import Path

import pytest

from services.capacity.resources import MIB, memory_limit_bytes, own_groups, process_bytes, usable_cpus

GIB = 1024**3


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A process in the group system.slice/remover.service, below `tmp_path`."""
    file = tmp_path / "own"
    file.write_text("0::/system.slice/remover.service\n")
    (tmp_path / "system.slice/remover.service").mkdir(parents=True)
    return file


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    """A machine with 8 GiB."""
    file = tmp_path / "meminfo"
    file.write_text(f"MemTotal: {8 * GIB // 1024} kB\nMemFree: 1 kB\n")
    return file


@pytest.fixture
def eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)


def test_own_groups_include_all_parents(tmp_path: Path, own: Path) -> None:
    slice_ = tmp_path / "system.slice"
    assert own_groups(tmp_path, own) == [slice_ / "remover.service", slice_, tmp_path]


def test_memory_limit_is_the_smallest_of_machine_and_groups(tmp_path: Path, own: Path, meminfo: Path) -> None:
    (tmp_path / "system.slice/remover.service/memory.max").write_text("max\n")
    assert memory_limit_bytes(tmp_path, own, meminfo) == 8 * GIB
    (tmp_path / "system.slice/memory.max").write_text(f"{2 * GIB}\n")
    assert memory_limit_bytes(tmp_path, own, meminfo) == 2 * GIB


def test_memory_limit_of_cgroup_v1_counts(tmp_path: Path, own: Path, meminfo: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text(f"{GIB}\n")
    assert memory_limit_bytes(tmp_path, own, meminfo) == GIB


@pytest.mark.usefixtures("eight_cpus")
@pytest.mark.parametrize(
    ("quota", "cpus"), [("max 100000", 8), ("150000 100000", 2), ("1000 100000", 1), ("9900000 100000", 8), ("", 8)]
)
def test_cpu_quota_of_the_parent_group_is_rounded_up(tmp_path: Path, own: Path, quota: str, cpus: int) -> None:
    (tmp_path / "system.slice/cpu.max").write_text(quota)
    assert usable_cpus(tmp_path, own) == cpus


@pytest.mark.usefixtures("eight_cpus")
@pytest.mark.parametrize(("quota", "cpus"), [("-1", 8), ("300000", 3)])
def test_cpu_quota_of_cgroup_v1_counts(tmp_path: Path, own: Path, quota: str, cpus: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000")
    assert usable_cpus(tmp_path, own) == cpus


def test_memory_of_the_process_is_what_the_system_says(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmPeak:\t  999999 kB\nVmRSS:\t  123456 kB\n")
    assert process_bytes(status) == 123456 * 1024
    assert process_bytes(tmp_path / "none") > 10 * MIB
    assert process_bytes() > 10 * MIB
