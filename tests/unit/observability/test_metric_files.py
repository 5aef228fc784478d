"""The files of the workers' counts: an ended worker's gauges go, and scrapes never notice."""

import threading
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from services.observability.metric_files import clear_gauges


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
    assert scrape(tmp_path) == {"done_total": 3}
