"""Engines, precisions and thread counts: time of one mask, and its error against f32: `python -m benchmarks.engines`.

Photographs are those of scikit-image, or of a folder given as the argument (`--photos folder`).
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.stages import RESULTS
from config import load_settings
from services.capacity.deadline import Deadline
from services.inference.bf16 import calibration_photos
from services.inference.catalogue import CATALOGUE
from services.inference.runtime import EngineSettings
from services.inference.segmenter import RembgSegmenter

ROUNDS = 8


def main() -> None:
    """Each combination that this machine has, with the original and the prepared file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path)
    chosen = parser.parse_args()
    settings = load_settings()
    spec = CATALOGUE[settings.rembg_model_name]
    original, prepared = spec.path(settings.rembg_session_path), spec.prepared_path(settings.rembg_session_path)
    images = [image.resize((spec.input_size,) * 2, Image.Resampling.LANCZOS) for image in photographs(chosen.photos)]
    exact = masks(RembgSegmenter(spec, original, EngineSettings("onnxruntime", "f32", 2)), images)
    rows = []
    threads = sorted({1, os.cpu_count() or 1, settings.inference_threads})
    for engine, precision, path in (
        ("onnxruntime", "f32", original),
        ("openvino", "f32", original),
        ("openvino", "bf16", original),
        ("openvino", "bf16", prepared),
    ):
        for count in threads:
            asked = EngineSettings(engine, precision, count)  # type: ignore[arg-type]
            found = RembgSegmenter(spec, path, asked, path if precision == "bf16" else None)
            if (found.engine, found.precision) != (engine, precision):
                continue  # not to be had on this machine
            errors = [np.abs(a - b).mean() / 255 for a, b in zip(exact, masks(found, images), strict=True)]
            rows.append(
                [engine, precision, path.name, count, milliseconds(found, images[0]), np.mean(errors), max(errors)]
            )
    report(rows)


def photographs(folder: Path | None) -> list[Image.Image]:
    if folder is None:
        return calibration_photos()
    return [Image.open(p).convert("RGB") for p in sorted(folder.iterdir()) if p.suffix in (".jpg", ".png")]


def masks(
    segmenter: RembgSegmenter, images: list[Image.Image]
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return [segmenter.mask(image, Deadline()).astype(np.float32) for image in images]


def milliseconds(segmenter: RembgSegmenter, image: Image.Image) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        segmenter.mask(image, Deadline())
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def report(rows: list[list[object]]) -> None:
    table = Table(
        "engine", "precision", "file", "threads", "ms", "mean error", "worst photo", title="one mask, against f32"
    )
    for row in rows:
        *names, milliseconds_each, mean, worst = row
        table.add_row(*map(str, names), f"{milliseconds_each:.1f}", f"{mean:.5f}", f"{worst:.5f}")
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "engines.json").write_text(json.dumps([[str(cell) for cell in row] for row in rows], indent=1))


if __name__ == "__main__":
    main()
