"""Compare the quality of edges and colours with rembg's: `python -m benchmarks.quality`.

Composites have a known alpha and foreground. Measured in the edge band (12 px around every pixel that is neither 0 nor
1): SAD in thousands of px; MSE and mean absolute error (× 1000); gradient and connectivity error after Rhemann et al.,
"A Perceptually Motivated Online Benchmark for Image Matting" (2009), as means per band pixel × 1000; the foreground's
colour error, 0 to 255, where both alphas show it.

Writes a table, `results/quality.json` and a contact sheet, `results/quality.png`; then the table of
`benchmarks/quality_losses.py`, what refining costs or gains whole subjects, and of `benchmarks/quality_strokes.py`,
what an editor's stroke becomes.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.drawing import DATA, Subject
from benchmarks.quality_losses import drawn, edge_band, report_losses
from benchmarks.quality_strokes import report_strokes
from benchmarks.stages import RESULTS
from benchmarks.subjects import PHOTOGRAPHED, composites
from benchmarks.versus_rembg import PEER, install_peer
from bootstrap.removal import engine_settings
from config import load_settings
from services.capacity.deadline import Deadline
from services.imaging.decontaminate import decontaminate
from services.imaging.edges.refine import refine
from services.imaging.options import Options
from services.imaging.rasters import Photo
from services.imaging.segment import segment
from services.inference.registry import Models
from tests.support.waiting import ROOT

PEERS = ("plain", "post_process_mask", "alpha_matting", "decontaminate")
OURS = ("soft", "refined", "matting")
MEASURES = ("sad", "mae", "mse", "gradient", "connectivity", "colour")
Floats = NDArray[Any]
Bytes = NDArray[Any]


@dataclass(frozen=True)
class Cutout:
    """A method's result for a composite: RGBA, and the time it took in addition to the mask."""

    rgba: Bytes
    seconds: float


def main() -> None:
    """Measure both services on all composites in one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cutouts", type=Path, help="a folder of cut-outs with true alpha, for the table of losses")
    parser.add_argument("--losses-only", action="store_true", help="compare our own edge modes on drawn subjects alone")
    parser.add_argument("--strokes-only", action="store_true", help="refine bands of drawn subjects, as an editor does")
    options = parser.parse_args()
    if options.strokes_only:
        report_strokes(drawn())
        return
    if options.losses_only:
        report_losses(drawn(), options.cutouts, our_mattes())
        return
    install_peer()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subjects = prepare(folder)
        run_peer("remove", folder)
        compare(folder, subjects)
        losses = report_losses(subjects, options.cutouts, our_mattes())
        (RESULTS / "quality_losses.json").write_text(json.dumps(losses, indent=1))
        report_strokes(subjects)


def prepare(folder: Path) -> dict[str, Subject]:
    """Write the composites as files for both services; return the subjects by the composites' names."""
    for name in PHOTOGRAPHED:
        cv2.imwrite(str(folder / f"{name}.photo.png"), read(next(DATA.glob(f"{name}.*")))[..., ::-1])
    run_peer("cut", folder)
    subjects = {}
    for name, subject, picture in composites({n: read(folder / f"{n}.cut.png") for n in PHOTOGRAPHED}):
        cv2.imwrite(str(folder / f"{name}.composite.png"), picture[..., ::-1])
        subjects[name] = subject
    return subjects


def run_peer(verb: str, folder: Path) -> None:
    """Run `quality_peer.py` in rembg's virtual environment."""
    models = PEER / "models"
    models.mkdir(exist_ok=True)
    (models / "u2netp.onnx").write_bytes((ROOT / "models/u2netp.onnx").read_bytes())
    command = [str(PEER / "bin/python"), str(Path(__file__).with_name("quality_peer.py")), verb, str(folder)]
    subprocess.run(command, check=True, env={**os.environ, "U2NET_HOME": str(models)})


def compare(folder: Path, subjects: dict[str, Subject]) -> None:
    """Score each method on each composite; write the report and the contact sheet."""
    cut = our_methods()
    peer_seconds = json.loads((folder / "seconds.json").read_text())
    scores: dict[str, list[dict[str, float]]] = {}
    tiles = []
    for number, (name, subject) in enumerate(sorted(subjects.items())):
        picture = read(folder / f"{name}.composite.png")
        mask = peer_seconds["mask"][number]
        cutouts = {m: Cutout(read(folder / f"{name}.{m}.png"), peer_seconds[m][number] - mask) for m in PEERS}
        cutouts |= dict(cut(picture))
        for method, cutout in cutouts.items():
            scores.setdefault(method, []).append(measure(cutout, subject) | {"seconds": max(0.0, cutout.seconds)})
        tiles.append(sheet_row(picture, cutouts, subject))
    report(scores, sorted(subjects))
    cv2.imwrite(str(RESULTS / "quality.png"), np.vstack(tiles)[..., ::-1])


def our_methods() -> Callable[[Bytes], Iterator[tuple[str, Cutout]]]:
    """Return a function that cuts out a picture's subject with each of our edge modes."""
    cv2.setNumThreads(1)
    settings = load_settings()
    segmenter = Models(["u2netp"], settings.rembg_session_path, engine_settings(settings)).get(None, Deadline())

    def cut(picture: Bytes) -> Iterator[tuple[str, Cutout]]:
        photo = Photo(picture)
        mask = segment(photo, segmenter, Deadline())
        for edges in OURS:
            start = time.perf_counter()
            matte = refine(mask, photo, Options.parse({"edges": edges}), Deadline())
            pixels = decontaminate(Photo(picture.copy()), matte).pixels
            yield edges, Cutout(np.dstack([pixels, matte]), time.perf_counter() - start)

    return cut


def our_mattes() -> Callable[[Bytes], dict[str, Bytes]]:
    """Return a function that gives a picture's matte, 0 to 255, of each of our edge modes."""
    cut = our_methods()
    return lambda picture: {edges: cutout.rgba[..., 3] for edges, cutout in cut(picture)}


def measure(cutout: Cutout, subject: Subject) -> dict[str, float]:
    """Return the score of each measure; lower is better."""
    alpha, truth = cutout.rgba[..., 3].astype(np.float32) / 255, subject.alpha
    band = edge_band(truth)
    off = np.abs(alpha - truth)[band]
    slope = np.hypot(*(a - b for a, b in zip(slopes(alpha), slopes(truth), strict=True)))[band]
    soft = (truth > 0.02) & (truth < 0.98)
    seen = np.minimum(alpha, truth)[soft][:, None]
    wrong = np.abs(cutout.rgba[..., :3].astype(np.float32) - subject.colour * 255)[soft]
    return {
        "sad": float(off.sum() / 1000),
        "mae": float(off.mean() * 1000),
        "mse": float((off * off).mean() * 1000),
        "gradient": float(slope.mean() * 1000),
        "connectivity": float(disconnection(alpha, truth)[band].mean() * 1000),
        "colour": float((wrong * seen).sum() / max(3 * seen.sum(), 1e-6)),
    }


def slopes(alpha: Floats) -> tuple[Floats, Floats]:
    """Return the horizontal and vertical derivatives after a Gaussian blur of 1.4 px."""
    smooth = cv2.GaussianBlur(alpha, (0, 0), 1.4)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.5), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.5)
    return np.asarray(across, dtype=np.float32), np.asarray(down, dtype=np.float32)


def disconnection(alpha: Floats, truth: Floats, step: float = 0.1) -> Floats:
    """Return the connectivity error of each pixel, relative to the largest region that is opaque in both."""
    level = np.full(alpha.shape, -1.0, np.float32)
    for threshold in np.arange(step, 1 + step / 2, step):
        both = ((alpha >= threshold) & (truth >= threshold)).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(both, connectivity=4)
        largest = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else np.zeros_like(both, bool)
        level[(level < 0) & ~largest] = threshold - step
    level[level < 0] = 1.0
    ours, theirs = (1 - np.where(a - level >= 0.15, a - level, 0) for a in (alpha, truth))
    return np.asarray(np.abs(ours - theirs), dtype=np.float32)


def sheet_row(picture: Bytes, cutouts: dict[str, Cutout], subject: Subject) -> Bytes:
    """Return one row: the composite, the true cut-out and each method's result on pink, where the truth is softest."""
    soft = ((subject.alpha > 0.1) & (subject.alpha < 0.9)).astype(np.float32)
    y, x = np.unravel_index(int(np.argmax(cv2.blur(soft, (401, 301)))), soft.shape)
    top, left = int(np.clip(y - 150, 0, soft.shape[0] - 300)), int(np.clip(x - 200, 0, soft.shape[1] - 400))
    place = (slice(top, top + 300), slice(left, left + 400))
    true = np.dstack([subject.colour * 255, subject.alpha * 255]).astype(np.uint8)
    shown = [picture[place], *(on_pink(rgba[place]) for rgba in (true, *(c.rgba for c in cutouts.values())))]
    return np.hstack([cv2.resize(tile, (200, 150), interpolation=cv2.INTER_AREA) for tile in shown])


def on_pink(rgba: Bytes) -> Bytes:
    """Composite the cut-out onto pink."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    return np.asarray(rgba[..., :3] * alpha + np.array([255, 80, 200]) * (1 - alpha), dtype=np.uint8)


def report(scores: dict[str, list[dict[str, float]]], names: list[str]) -> None:
    """Print the means and write `results/quality.json`."""
    means = {
        m: {k: float(np.mean([row[k] for row in rows])) for k in (*MEASURES, "seconds")} for m, rows in scores.items()
    }
    table = Table(title=f"{len(names)} composites of 1600×1200, u2netp; lower is better; seconds exclude the mask")
    for heading in ("method", *MEASURES, "seconds"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for method, row in means.items():
        origin = "rembg" if method in PEERS else "ours"
        table.add_row(f"{origin} {method}", *[f"{row[k]:.1f}" for k in MEASURES], f"{row['seconds']:.3f}")
    Console().print(table)
    peer, ours = means["alpha_matting"], means["refined"]
    ratios = ", ".join(f"{k} {ours[k] / peer[k]:.2f}" for k in (*MEASURES, "seconds"))
    Console().print(f"refined / alpha_matting: {ratios}")
    RESULTS.mkdir(exist_ok=True)
    found = {"means": means, "each": {m: dict(zip(names, rows, strict=True)) for m, rows in scores.items()}}
    (RESULTS / "quality.json").write_text(json.dumps(found, indent=1))


def read(path: Path) -> Bytes:
    """Return an image file as RGB or RGBA."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    if image.shape[2] == 4:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA), dtype=np.uint8)
    return np.ascontiguousarray(image[..., ::-1])


if __name__ == "__main__":
    main()
