"""Compare requests per second and latency over HTTP with those of rembg's own server, in alternating runs.

`python -m benchmarks.versus_rembg`. Both use the same model and photographs and return PNG. rembg runs in its own
virtual environment (`.bench/peer`), which the first run creates. The clients share the processors with the servers and
do as little as possible: what they take for a request would slow down the faster server more often.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import time
import venv
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import requests
from rich.console import Console
from rich.table import Table
from urllib3.filepost import encode_multipart_formdata

from benchmarks.load.client import exchange, run_all
from benchmarks.load.client import post as request_of
from benchmarks.stages import RESULTS, photo
from tests.support.gunicorn import Gunicorn
from tests.support.waiting import ROOT, free_port, poll

PEER = ROOT / ".bench/peer"
PEER_PACKAGE = "rembg[cpu,cli]==2.0.86"
SIZES = ((1024, 1024), (4000, 3000))
CLIENTS = (1, 2, 4)


@dataclass(frozen=True)
class Measurement:
    """The figures of one server for one image size and one number of clients."""

    server: str
    size: str
    clients: int
    requests: int
    per_second: float
    median_seconds: float
    p95_seconds: float


def main() -> None:
    """Measure both servers, print the table with the ratios and write `results/versus_rembg.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="duration of each measurement")
    parser.add_argument("--rounds", type=int, default=2, help="measurements of each server; the best one counts")
    parser.add_argument("--precision", default="auto", help="INFERENCE_PRECISION of this service")
    parser.add_argument("--edges", default="soft", help="edge mode of this service; soft matches rembg without options")
    chosen = parser.parse_args()
    install_peer()
    with Gunicorn(INFERENCE_PRECISION=chosen.precision) as ours, peer() as theirs:
        targets = {"ours": f"{ours.url}/remove-background?edges={chosen.edges}", "rembg": f"{theirs}/api/remove"}
        health = requests.get(f"{ours.url}/health", timeout=10).json()["parts"]["model"]
        best: list[tuple[Measurement, Measurement]] = []
        for width, height in SIZES:
            data = photo(width, height)
            # The first request warms up.
            for url in targets.values():
                post(url, data)
            for clients in CLIENTS:
                found: dict[str, list[Measurement]] = {name: [] for name in targets}
                for _ in range(chosen.rounds):
                    for name, url in targets.items():
                        found[name].append(load(name, url, data, f"{width}x{height}", clients, chosen.seconds))
                one, other = (max(runs, key=lambda run: run.per_second) for runs in found.values())
                best.append((one, other))
    report(best, f"{health['engine']} {health['precision']}")


def load(name: str, url: str, data: bytes, size: str, clients: int, seconds: float) -> Measurement:
    """Post from `clients` threads for `seconds`, each at least two requests, one after the other."""
    port, request = photo_request(url, data)
    end = time.perf_counter() + seconds
    latencies: list[float] = []
    failures: list[int | str] = []

    def client() -> None:
        done = 0
        while time.perf_counter() < end or done < 2:
            start = time.perf_counter()
            status = exchange(port, request)
            latencies.append(time.perf_counter() - start)
            failures.extend([status] * (status != 200))
            done += 1

    start = time.perf_counter()
    run_all([client] * clients)
    elapsed = time.perf_counter() - start
    if failures:
        raise RuntimeError(f"{url} answered {failures[0]}")
    ordered = sorted(latencies)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return Measurement(name, size, clients, len(ordered), len(ordered) / elapsed, statistics.median(ordered), p95)


def photo_request(url: str, data: bytes) -> tuple[int, bytes]:
    """Return the port, and the request that posts the image as a form."""
    body, kind = encode_multipart_formdata({"model": "u2netp", "file": ("photo.jpg", data, "image/jpeg")})
    place = urlsplit(url)
    return place.port or 80, request_of(body, f"{place.path}?{place.query}", kind)


def post(url: str, data: bytes) -> None:
    """Post the image. Raises RuntimeError unless the response is a PNG."""
    files = {"file": ("photo.jpg", data, "image/jpeg")}
    answer = requests.post(url, files=files, data={"model": "u2netp"}, timeout=300)
    if answer.status_code != 200 or answer.content[:4] != b"\x89PNG":
        raise RuntimeError(f"{url} answered {answer.status_code}: {answer.text[:200]}")


def report(rows: list[tuple[Measurement, Measurement]], engine: str) -> None:
    """Print the table and write the figures as JSON."""
    table = Table(title=f"ours ({engine}) compared with rembg's server, u2netp, PNG out, {os.cpu_count()} CPUs")
    for heading in ("image", "clients", "ours req/s", "rembg req/s", "ratio", "ours median s", "rembg median s"):
        table.add_column(heading, justify="right")
    for one, other in rows:
        figures = (one.per_second, other.per_second, one.per_second / other.per_second)
        medians = (one.median_seconds, other.median_seconds)
        table.add_row(one.size, str(one.clients), *[f"{f:.2f}" for f in figures], *[f"{m:.3f}" for m in medians])
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    found = {"engine": engine, "rows": [{"ours": asdict(a), "rembg": asdict(b)} for a, b in rows]}
    (RESULTS / "versus_rembg.json").write_text(json.dumps(found, indent=1))


def install_peer() -> None:
    """Install rembg with its server into its own virtual environment, unless it is there."""
    if (PEER / ".installed").exists():
        return
    venv.create(PEER, with_pip=True)
    command = [str(PEER / "bin/python"), "-m", "pip", "install", "--quiet", PEER_PACKAGE]
    subprocess.run(command, check=True)
    (PEER / ".installed").touch()


@contextlib.contextmanager
def peer() -> Iterator[str]:
    """Run rembg's server with the same model file; yield its URL."""
    port = free_port()
    models = PEER / "models"
    models.mkdir(exist_ok=True)
    (models / "u2netp.onnx").write_bytes((ROOT / "models/u2netp.onnx").read_bytes())
    env = {**os.environ, "U2NET_HOME": str(models)}
    options = f"--no-ui --host 127.0.0.1 --port {port} --log_level error".split()
    process = subprocess.Popen(
        [str(PEER / "bin/rembg"), "s", *options], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        poll(lambda: _answers(f"http://127.0.0.1:{port}/api"), 180, "rembg's server")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


if __name__ == "__main__":
    main()
