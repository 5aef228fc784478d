"""Compare engines, precisions and thread counts by a mask's time and error: `python -m benchmarks.engines`.

Times are of the processor. The error is the difference from f32 on ONNX Runtime. The photographs are scikit-image's, or
those of `--photos folder`.
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
from bootstrap.settings import load_settings
from services.capacity.deadline import Deadline
from services.inference.calibration import calibration_photos
from services.inference.catalogue import CATALOGUE
from services.inference.runtime import EngineSettings, Fast
from services.inference.segmenter import RembgSegmenter

ROUNDS = 8


def main() -> None:
    """Measure each combination that this machine supports, with the original and the prepared model file."""
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
    int8 = spec.int8_path(settings.rembg_session_path)
    for engine, precision, path in (
        ("onnxruntime", "f32", original),
        ("openvino", "f32", original),
        ("openvino", "bf16", original),
        ("openvino", "bf16", prepared),
        ("openvino", "int8+bf16", int8),
        ("openvino", "int8+f32", int8),
    ):
        for count in threads:
            # mypy does not infer the Literal type of the names in the tuples above.
            requested = EngineSettings(engine, threads=count)  # type: ignore[arg-type]
            fast = [] if precision == "f32" else [Fast(path, precision)]
            segmenter = RembgSegmenter(spec, original, requested, fast)
            # The segmenter falls back to another engine where this machine does not support the requested one.
            if (segmenter.engine, segmenter.precision) != (engine, precision):
                continue
            errors = [np.abs(a - b).mean() / 255 for a, b in zip(exact, masks(segmenter, images), strict=True)]
            time_ms = milliseconds(segmenter, images[0])
            rows.append([engine, precision, path.name, count, time_ms, np.mean(errors), max(errors)])
    report(rows)


def photographs(folder: Path | None) -> list[Image.Image]:
    """Return the photographs of the folder, or the calibration photographs without one."""
    if folder is None:
        return calibration_photos()
    return [Image.open(p).convert("RGB") for p in sorted(folder.iterdir()) if p.suffix in (".jpg", ".png")]


def masks(
    segmenter: RembgSegmenter, images: list[Image.Image]
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Return the mask of each image, 0 to 255."""
    return [segmenter.mask(image, Deadline()).astype(np.float32) for image in images]


def milliseconds(segmenter: RembgSegmenter, image: Image.Image) -> float:
    """Return the median processor time of one mask."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        segmenter.mask(image, Deadline())
        times.append((time.process_time() - start) * 1000)
    return statistics.median(times)


def report(rows: list[list[object]]) -> None:
    """Print the table and write `results/engines.json`."""
    table = Table(
        "engine", "precision", "file", "threads", "ms", "mean error", "worst photo", title="one mask, compared with f32"
    )
    for row in rows:
        *names, milliseconds_each, mean, worst = row
        table.add_row(*map(str, names), f"{milliseconds_each:.1f}", f"{mean:.5f}", f"{worst:.5f}")
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "engines.json").write_text(json.dumps([[str(cell) for cell in row] for row in rows], indent=1))


if __name__ == "__main__":
    main()
