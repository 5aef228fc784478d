"""Processor time and disks."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.observability.machine import CpuSeconds, DiskSpace, disk_usage, service_pids


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)


def cpu_seconds() -> float:
    (family,) = CpuSeconds().collect()
    (sample,) = family.samples
    assert sample.name == "bg_remover_cpu_seconds_total"
    return sample.value


def test_processor_time_grows_with_work() -> None:
    before, own = cpu_seconds(), time.process_time()
    while time.process_time() < own + 0.1:
        pass
    assert 0.05 < cpu_seconds() - before < 5


def test_processor_time_of_an_ended_child_stays() -> None:
    before = cpu_seconds()
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert cpu_seconds() - before >= 0.25


def test_a_process_counts_itself_and_its_children() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert {os.getpid(), child.pid} <= set(service_pids())
        child.communicate(b"\n")


def test_room_is_that_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    free, size = DiskSpace({"uploads": tmp_path / "not/yet", "storage": tmp_path}).collect()
    assert [sample.labels for sample in free.samples] == [{"folder": "uploads"}, {"folder": "storage"}]
    assert {sample.value for sample in size.samples} == {size.samples[0].value}
    assert 0 < free.samples[0].value <= size.samples[0].value


def test_room_of_a_folder_that_is_not_made_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    found = disk_usage(tmp_path / "later" / "still")
    assert found
    assert 0 < found.free < found.total
