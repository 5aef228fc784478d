"""Compare a GPU with the CPU of the same machine: `python -m benchmarks.gpu` (needs `onnxruntime-gpu` and a device).

First the masks: their difference from f32 on the CPU, and the time of one inference. Then the service, started with
`INFERENCE_ENGINE=cuda` and with the CPU's best engine: requests per second by processes and clients.
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Sequence

import numpy as np
import requests
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.engines import photographs
from benchmarks.stages import RESULTS, photo
from benchmarks.versus_rembg import Measurement, load, post
from bootstrap.settings import load_settings
from services.capacity.deadline import Deadline
from services.inference.catalogue import CATALOGUE
from services.inference.runtime import EngineSettings
from services.inference.segmenter import RembgSegmenter
from tests.support.gunicorn import Gunicorn
from tests.support.waiting import poll

SIZES = ((1024, 1024), (4000, 3000))
ROUNDS = 50


def main() -> None:
    """Print both tables and write `results/gpu.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="duration of each measurement")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4, 8], help="values of WEB_CONCURRENCY")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--engines", nargs="+", default=["cuda", "auto"], help="values of INFERENCE_ENGINE")
    parser.add_argument("--edges", nargs="+", default=["soft", "refined"])
    chosen = parser.parse_args()
    inference = compare_masks()
    served = [
        row
        for engine in chosen.engines
        for processes in chosen.processes
        for row in serve(engine, processes, chosen.clients, chosen.edges, chosen.seconds)
    ]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "gpu.json").write_text(json.dumps({"inference": inference, "served": served}, indent=1))


def compare_masks() -> dict[str, float]:
    """Return the masks' error against f32 on the CPU (mean and worst of 0 to 1) and the ms of one inference on each."""
    settings = load_settings()
    spec = CATALOGUE[settings.rembg_model_name]
    path = spec.path(settings.rembg_session_path)
    images = [image.resize((spec.input_size,) * 2, Image.Resampling.LANCZOS) for image in photographs(None)]
    cpu = RembgSegmenter(spec, path, EngineSettings("onnxruntime", "f32", os.cpu_count() or 1))
    gpu = RembgSegmenter(spec, path, EngineSettings("cuda", "f32", 1))
    errors = [
        np.abs(cpu.mask(image, Deadline()).astype(float) - gpu.mask(image, Deadline())).mean() / 255 for image in images
    ]
    found = {
        "mean_error": float(np.mean(errors)),
        "worst_error": float(np.max(errors)),
        "cpu_ms": _milliseconds(cpu, images[0]),
        "gpu_ms": _milliseconds(gpu, images[0]),
    }
    Console().print({name: round(value, 5) for name, value in found.items()})
    return found


def _milliseconds(segmenter: RembgSegmenter, image: Image.Image) -> float:
    segmenter.mask(image, Deadline())
    start = time.perf_counter()
    for _ in range(ROUNDS):
        segmenter.mask(image, Deadline())
    return (time.perf_counter() - start) * 1000 / ROUNDS


def serve(
    engine: str, processes: int, clients: Sequence[int], edges: Sequence[str], seconds: float
) -> list[dict[str, object]]:
    """Return the requests per second of a service with this engine and these processes, by size, edges and clients."""
    table = Table("image", "edges", "clients", "req/s", "median s", "p95 s")
    rows = []
    with Gunicorn(INFERENCE_ENGINE=engine, WEB_CONCURRENCY=processes, MAX_WAITING_IMAGES=64) as service:
        model = poll(lambda: _loaded_model(service.url), what="the model")
        table.title = f"{model['engine']} {model['precision']}, {processes} processes"
        for width, height in SIZES:
            data = photo(width, height)
            for edge in edges:
                url = f"{service.url}/remove-background?edges={edge}"
                for _ in range(processes * 2):
                    post(url, data)
                for count in clients:
                    run = load(engine, url, data, f"{width}x{height}", count, seconds)
                    rows.append({**_row(run), "edges": edge, "processes": processes, "model": model["engine"]})
                    figures = (f"{run.per_second:.1f}", f"{run.median_seconds:.3f}", f"{run.p95_seconds:.3f}")
                    table.add_row(run.size, edge, str(count), *figures)
        table.caption = f"memory of the device: {_device_memory()}"
    Console().print(table)
    return rows


def _loaded_model(url: str) -> dict[str, str] | None:
    """Return the model that the process which answers has loaded; None while it loads it."""
    model: dict[str, str] = requests.get(f"{url}/health", timeout=10).json()["parts"]["model"]
    return model if "engine" in model else None


def _row(run: Measurement) -> dict[str, object]:
    return {"size": run.size, "clients": run.clients, "per_second": run.per_second, "median": run.median_seconds}


def _device_memory() -> str:
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


if __name__ == "__main__":
    main()
