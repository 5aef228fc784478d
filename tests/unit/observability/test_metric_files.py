"""The files of the workers' counts: an ended worker's gauges go, and scrapes never notice."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from services.observability.metric_files import clear_gauges, metrics_folder


def write(file: Path, name: str, value: float) -> None:
    values = MmapedDict(str(file))  # type: ignore[no-untyped-call]
    values.write_value(mmap_key(name, name, [], [], "help"), value, 0.0)  # type: ignore[no-untyped-call]
    values.close()  # type: ignore[no-untyped-call]


def scrape(folder: Path) -> dict[str, float]:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    return {sample.name: sample.value for metric in registry.collect() for sample in metric.samples}


def test_a_scrape_while_a_workers_gauges_are_cleared_never_fails(tmp_path: Path) -> None:
    stop, scraped = threading.Event(), []

    def scrapes() -> None:
        while not stop.is_set():
            scraped.append(scrape(tmp_path))

    write(tmp_path / "counter_0.db", "done_total", 3)
    # There before a scrape looks, as the service reserves it.
    write(tmp_path / "gauge_sum_0.db", "held", 2)
    thread = threading.Thread(target=scrapes)
    thread.start()
    while len(scraped) < 200 and thread.is_alive():
        write(tmp_path / "gauge_sum_0.db", "held", 2)
        clear_gauges(tmp_path, 0)
    alive = thread.is_alive()
    stop.set()
    thread.join()
    assert alive  # no scrape has raised
    assert all(found["done_total"] == 3 for found in scraped)
    assert scrape(tmp_path) == {"done_total": 3, "held": 0}


def test_a_scrape_that_reads_while_the_next_worker_begins_never_fails(tmp_path: Path) -> None:
    """The next worker may have other gauges, and the first bytes of a file may be read before its last ones change."""
    file = tmp_path / "gauge_max_0.db"
    for name in ("held", "waiting"):
        write(file, name, 1)
    before = file.read_bytes()
    clear_gauges(tmp_path, 0)
    for name in ("of_another_model", "held"):
        write(file, name, 1)
    after = file.read_bytes()
    for end in range(0, int.from_bytes(after[:4], sys.byteorder), 8):
        file.write_bytes(before[:end] + after[end:])
        found = scrape(tmp_path)
        assert found["held"] in (0, 1)
        assert found.keys() <= {"held", "waiting", "of_another_model"}


HOLDER = """
import sys, time
from services.observability.metric_files import metrics_folder
print(metrics_folder(sys.argv[1]), flush=True)
time.sleep(600)
"""


def test_folder_of_a_killed_service_is_removed_and_that_of_a_running_one_stays(tmp_path: Path) -> None:
    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)

    with start() as running, start() as killed:
        folders = [Path(process.stdout.readline().strip()) for process in (running, killed) if process.stdout]
        killed.kill()
        killed.wait(10)
        strange = tmp_path / "bg-remover-counts-of-nobody"
        strange.symlink_to(folders[0])
        for folder in folders:
            os.utime(folder, (0, 0))
        new = Path(metrics_folder(str(tmp_path)))
        running.kill()
    assert sorted(tmp_path.iterdir()) == sorted([folders[0], new, strange])


def test_new_folder_that_is_not_locked_yet_stays(tmp_path: Path) -> None:
    young = tmp_path / "bg-remover-counts-young"
    young.mkdir()
    metrics_folder(str(tmp_path))
    assert young.exists()
