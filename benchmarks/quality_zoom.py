"""Report what a second look gains for small subjects: `python -m benchmarks.quality_zoom --cutouts folder`.

Cut-outs with a true alpha (PNGs, as Debian's `tuxpaint-stamps-default` has) stand somewhere in a picture of 960×720, a
JPEG of quality 88. Only pictures at which `detail=auto` looks again count.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.drawing import Subject
from benchmarks.quality_losses import FAILED, drawn, edge_band, overlap, real_cutout
from benchmarks.subjects import background, over
from bootstrap.removal import engine_settings
from config import load_settings
from services.capacity.deadline import Deadline
from services.imaging.edges.refine import refine
from services.imaging.options import Options
from services.imaging.rasters import Photo
from services.imaging.segment import segment
from services.imaging.zoom import look_again
from services.inference.registry import Models

WIDTH, HEIGHT = 960, 720
QUALITY: Final = 88
# Of the picture's area, which the cut-out with its margins covers.
SHARES: Final = (0.12, 0.25, 0.5)
EDGES: Final = ("soft", "refined")
Array = NDArray[Any]


def main() -> None:
    """Print a table: for each size and edge mode the overlap with one look and with two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cutouts", type=Path, required=True, help="a folder of cut-outs with true alpha")
    folder = parser.parse_args().cutouts
    settings = load_settings()
    models = Models([settings.rembg_model_name], settings.rembg_session_path, engine_settings(settings))
    segmenter = models.get(None, Deadline())
    headings = (
        "share",
        "edges",
        "n",
        "IoU, one look",
        "two",
        "difference",
        f"below {FAILED}",
        "worse",
        "better",
        "band",
    )
    table = Table(*headings, title="A second look at small subjects")
    for share in SHARES:
        scores: dict[str, list[tuple[float, float, float, float]]] = {edges: [] for edges in EDGES}
        for pixels, alpha in pictures(folder, share):
            photo = Photo(pixels)
            first = segment(photo, segmenter, Deadline())
            second = look_again(photo, first, segmenter, Options.parse({"detail": "auto"}), Deadline()).mask
            if second is first:
                continue
            band = edge_band(alpha)
            for edges in EDGES:
                options = Options.parse({"edges": edges})
                mattes = [refine(mask, photo, options, Deadline()) for mask in (first, second)]
                before, after = (overlap(matte, alpha) for matte in mattes)
                errors = [float(np.abs(matte / 255 - alpha)[band].mean() * 1000) for matte in mattes]
                scores[edges].append((before, after, errors[0], errors[1]))
        for edges, rows in scores.items():
            table.add_row(f"{share:.0%}", edges, str(len(rows)), *cells(np.array(rows)))
    Console().print(table)


def pictures(folder: Path, share: float) -> Iterator[tuple[Array, Array]]:
    """Yield (picture, alpha)."""
    names = sorted(drawn())
    places = np.random.default_rng(5)
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        subject = real_cutout(path)
        if subject is None:
            continue
        ground = cv2.resize(background(names[number % len(names)].rpartition("-")[2]), (WIDTH, HEIGHT))
        placed = somewhere(subject, share, places)
        _, file = cv2.imencode(".jpg", over(placed, ground)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        yield np.ascontiguousarray(np.asarray(cv2.imdecode(file, 1))[..., ::-1]), placed.alpha


def somewhere(subject: Subject, share: float, places: np.random.Generator) -> Subject:
    """Return the subject on an empty sheet of the picture's size, scaled to this share of its area."""
    height, width = subject.alpha.shape
    scale = min((share * WIDTH * HEIGHT / (width * height)) ** 0.5, HEIGHT / height, WIDTH / width)
    size = (min(WIDTH, round(width * scale)), min(HEIGHT, round(height * scale)))
    colour, alpha = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (subject.colour, subject.alpha))
    left, top = places.integers(0, WIDTH - size[0] + 1), places.integers(0, HEIGHT - size[1] + 1)
    place = (slice(top, top + size[1]), slice(left, left + size[0]))
    sheet, cover = np.zeros((HEIGHT, WIDTH, 3), np.float32), np.zeros((HEIGHT, WIDTH), np.float32)
    sheet[place], cover[place] = colour, alpha
    return Subject(subject.name, sheet, cover)


def cells(rows: Array) -> list[str]:
    """Return a table row's figures."""
    before, after, band, finer = rows.T
    more = after - before
    half = 1.96 * more.std() / np.sqrt(len(rows))
    return [
        f"{before.mean():.4f}",
        f"{after.mean():.4f}",
        f"{more.mean():+.4f}±{half:.4f}",
        f"{(before < FAILED).sum()} → {(after < FAILED).sum()}",
        str((more < -0.02).sum()),
        str((more > 0.02).sum()),
        f"{band.mean():.1f} → {finer.mean():.1f}",
    ]


if __name__ == "__main__":
    main()
