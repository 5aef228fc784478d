"""Measure the time of each step of one removal: `python -m benchmarks.stages`."""

import io
import json
import statistics
from pathlib import Path

import skimage
from PIL import Image
from rich.console import Console
from rich.table import Table

from bootstrap.removal import make_local_remover, make_models
from bootstrap.settings import load_settings
from services.capacity.deadline import Deadline
from services.imaging.options import Options
from services.removal import Remover

SIZES = ((512, 512), (1024, 1024), (4000, 3000))
ROUNDS = 9
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Print the median milliseconds of each step, from a JPEG to a PNG, and write `results/stages.json`."""
    settings = load_settings()
    remover = make_local_remover(settings)
    segmenter = make_models(settings).get(None, Deadline())
    rows = {f"{w}x{h}": measure(remover, photo(w, h)) for w, h in SIZES}
    steps = list(next(iter(rows.values())))
    table = Table(*["image", *steps, "sum"], title=f"{segmenter.name}, {segmenter.engine} {segmenter.precision}, ms")
    for size, row in rows.items():
        table.add_row(size, *[f"{row[step]:.1f}" for step in steps], f"{sum(row.values()):.1f}")
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "stages.json").write_text(json.dumps(rows, indent=1))


def photo(width: int, height: int) -> bytes:
    """Return a photograph as a JPEG of this size."""
    path = Path(skimage.__file__).parent / "data/astronaut.png"
    out = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS).save(out, "JPEG", quality=90)
    return out.getvalue()


def measure(remover: Remover, data: bytes) -> dict[str, float]:
    """Return the median time of each step, in ms, without the first run, which warms up."""
    runs = [remover.remove(data, Options()).timings for _ in range(ROUNDS)][1:]
    return {step: statistics.median(run[step] for run in runs) for step in runs[0]}


if __name__ == "__main__":
    main()
