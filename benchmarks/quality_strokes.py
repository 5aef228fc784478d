"""Report how well `POST /refine` fills the unknown band of an editor's stroke, beside a hard brush.

From each composite 1000×1000 px are taken where its edge is softest. Unknown is what lies within `REACH` px of a soft
pixel. A hard brush cuts in the middle between the sure pixels of subject and background. SAD in thousands of px, within
the unknown band; milliseconds of processor time, without decoding and encoding.
"""

import time
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.drawing import Subject
from benchmarks.subjects import background, over
from services.capacity.deadline import Deadline
from services.imaging.edges.trimap import UNKNOWN, fill_in
from services.imaging.options import Edges

SIDE: Final = 1000  # px
REACH: Final = 8  # px
GUIDED: Final = (Edges.REFINED, Edges.MATTING)

Array = NDArray[Any]


def report_strokes(subjects: dict[str, Subject]) -> None:
    """Print a row for each subject, by its composite's name, and the means."""
    table = Table("composite", "hard brush", *GUIDED, *(f"{edges} ms" for edges in GUIDED), title="Strokes refined")
    rows = []
    for name, subject in sorted(subjects.items()):
        picture, alpha = softest_part(over(subject, background(name.rpartition("-")[2])), subject.alpha)
        rows.append(score(picture, alpha))
        table.add_row(name, *(f"{value:.1f}" for value in rows[-1]))
    means = np.mean(rows, axis=0)
    table.add_row("mean", *(f"{value:.1f}" for value in means))
    Console().print(table)
    Console().print(f"refined / hard brush {means[1] / means[0]:.2f}, matting / hard brush {means[2] / means[0]:.2f}")


def score(picture: Array, alpha: Array) -> list[float]:
    """Return the error of the hard brush and of each mode, then each mode's milliseconds."""
    trimap = trimap_of(alpha)
    unknown = trimap == UNKNOWN
    mattes, milliseconds = [hard_brush(trimap)], []
    for edges in GUIDED:
        start = time.process_time()
        mattes.append(fill_in(trimap, picture, edges, Deadline()))
        milliseconds.append((time.process_time() - start) * 1000)
    errors = [float(np.abs(matte / 255 - alpha)[unknown].sum() / 1000) for matte in mattes]
    return errors + milliseconds


def softest_part(picture: Array, alpha: Array) -> tuple[Array, Array]:
    """Return the square of picture and alpha that has the most soft pixels."""
    soft = soft_pixels(alpha).astype(np.float32)
    counts = cv2.blur(soft, (SIDE, SIDE), borderType=cv2.BORDER_CONSTANT)
    y, x = np.unravel_index(int(np.argmax(counts)), counts.shape)
    top, left = (int(np.clip(at - SIDE // 2, 0, length - SIDE)) for at, length in zip((y, x), alpha.shape, strict=True))
    place = (slice(top, top + SIDE), slice(left, left + SIDE))
    return np.ascontiguousarray(picture[place]), alpha[place]


def soft_pixels(alpha: Array) -> Array:
    """Return 1 where alpha is neither 0 nor 1, or jumps."""
    jumps = cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return np.asarray(np.maximum(jumps, ((alpha > 0.02) & (alpha < 0.98)).astype(np.uint8)))


def trimap_of(alpha: Array) -> Array:
    """Return the trimap of a stroke along the whole edge."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * REACH + 1, 2 * REACH + 1))
    unknown = cv2.dilate(soft_pixels(alpha), disc) > 0
    return np.where(unknown, np.uint8(UNKNOWN), np.where(alpha > 0.5, np.uint8(255), np.uint8(0)))


def hard_brush(trimap: Array) -> Array:
    """Return the trimap with each unknown pixel as its nearest sure one."""
    to_ground, to_subject = (
        cv2.distanceTransform((trimap != sure).astype(np.uint8), cv2.DIST_L2, 5) for sure in (0, 255)
    )
    return np.where(to_subject < to_ground, np.uint8(255), np.uint8(0))
