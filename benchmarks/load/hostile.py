"""Send small files that are large to decode, and print what each costs: `python -m benchmarks.load.hostile`.

For each file and number of simultaneous requests a service of its own starts, with one worker. The memory is the
worker's highest resident size above its size after a warm-up.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.support.gunicorn import Gunicorn
from tests.support.pictures import hostile

REMOVE, IMPROVE, BATCH = "/remove-background", "/v1.0/improve", "/api/remove/batch"
CASES: dict[str, tuple[str, int, Callable[[], bytes]]] = {
    "TIFF tile of 46336²": (REMOVE, 1, lambda: hostile.tiff_tile(46336)),
    "TIFF tile of 46336², two": (REMOVE, 2, lambda: hostile.tiff_tile(46336)),
    "TIFF of 4 M strips": (IMPROVE, 1, lambda: hostile.tiff_strips(4_000_000)),
    "TIFF of 4 M strips, three": (IMPROVE, 3, lambda: hostile.tiff_strips(4_000_000)),
    "AVIF of 12000² that states 64²": (REMOVE, 1, lambda: hostile.lying(12000, 12000)),
    "PNG of 1.38 M chunks": (REMOVE, 1, lambda: hostile.png_chunks(1_380_000)),
    "BMP of run lengths, 49 Mpx": (REMOVE, 1, hostile.run_length_bmp),
    "PNG of one bit, 49 Mpx": (REMOVE, 1, hostile.one_bit_png),
    "300 ZIPs of 2000 folders": (BATCH, 1, lambda: hostile.folders(2000)),
}


def main() -> None:
    """Print a row for each case."""
    print("| file | MB sent | status | s | MB above idle |\n|---|---|---|---|---|")
    for name, (path, count, make) in CASES.items():
        print(f"| {name} | {row(path, count, make())} |", flush=True)


def row(path: str, count: int, data: bytes) -> str:
    with Gunicorn(WEB_CONCURRENCY="1", RATE_LIMIT_ENABLED="false") as server:
        send(server.url, REMOVE, hostile.one_bit_png(500, 500))
        (pid,) = server.workers()
        # Sets the highest resident size to the present one.
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        idle, start = peak(pid), time.monotonic()
        with ThreadPoolExecutor(count) as threads:
            answers = list(threads.map(lambda _: send(server.url, path, data), range(count)))
        seconds = time.monotonic() - start
        statuses = ", ".join(sorted({str(answer) for answer in answers}))
        alive = "" if list(server.workers()) == [pid] else " (worker died)"
        return f"{len(data) / 1e6:.2f} | {statuses}{alive} | {seconds:.1f} | {peak(pid) - idle:.0f}"


def peak(pid: int) -> float:
    """Return a process's highest resident size in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1000
    raise LookupError(f"process {pid} has no VmHWM")


def send(url: str, path: str, data: bytes) -> int:
    """Post a file, or 300 of them as a batch; return the status."""
    if path == BATCH:
        photo = hostile.one_bit_png(500, 500)
        files = [*(("files", (f"{number}.zip", data)) for number in range(300)), ("files", ("a.png", photo))]
    else:
        files = [("image_file" if path == IMPROVE else "file", ("a.jpg", data))]
    return requests.post(url + path, files=files, timeout=300).status_code


if __name__ == "__main__":
    main()
