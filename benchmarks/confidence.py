"""Report how well the confidence warns: `python -m benchmarks.confidence --cutouts /usr/share/tuxpaint/stamps`.

Cut-outs with a true alpha (PNGs, as Debian's `tuxpaint-stamps-default` has) and our drawn subjects stand before eleven
kinds of background. A picture needs a hand where the overlap (IoU) of the first mask with the truth is below 0.8.
Printed: the AUC, the chance that a picture which needs a hand has the lower confidence of two, with its 95 % interval
(cut-outs resampled), for photographed cut-outs, all subjects and each kind; and the shares by confidence.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.drawing import Subject, photograph
from benchmarks.drawn_subjects import DRAWN
from benchmarks.quality_losses import FAILED, FOUND, camouflaged, out_of_focus, overlap, real_cutout
from benchmarks.quality_zoom import HEIGHT, WIDTH, somewhere
from benchmarks.subjects import background, over
from bootstrap.removal import engine_settings
from config import load_settings
from services.capacity.deadline import Deadline
from services.imaging.confidence import confidence, confirmed
from services.imaging.edges.refine import refine
from services.imaging.options import Options
from services.imaging.rasters import Photo
from services.imaging.segment import Segmenter, segment
from services.imaging.zoom import look_again
from services.inference.registry import Models

SOFT: Final = ("coffee", "brick", "chelsea", "ihc", "grass", "rocket", "motorcycle_left", "gravel", "astronaut")
BUSY: Final = ("gravel", "hubble_deep_field", "grass", "brick", "rocket", "ihc")
LONGEST_SIDE: Final = 800  # px
QUALITY, STRONG = 88, 25  # of JPEG
HAZE: Final = 0.4  # the share of contrast that is left
CLUTTER: Final = 4  # other subjects out of focus behind
CROP: Final = 0.12  # the share of a side's length that a close-up loses on each side at most
BOUNDS: Final = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.01)
RESAMPLES: Final = 1000
Array = NDArray[Any]


@dataclass(frozen=True)
class Score:
    """A picture's confidence, the first mask's and the result's overlap with the truth, and where it comes from."""

    confidence: float
    first: float
    result: float
    kind: str
    subject: int
    drawn: bool


def main() -> None:
    """Score all pictures and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cutouts", type=Path, required=True, help="a folder of cut-outs with true alpha")
    parser.add_argument("--seed", type=int, default=1, help="of places, crops and grounds")
    options = parser.parse_args()
    settings = load_settings()
    models = Models([settings.rembg_model_name], settings.rembg_session_path, engine_settings(settings))
    segmenter = models.get(None, Deadline())
    cutouts = [subject for path in sorted(options.cutouts.rglob("*.png")) if (subject := real_cutout(path))]
    subjects = [fitted(subject) for subject in (*cutouts, *(draw() for draw in DRAWN))]
    random = np.random.default_rng(options.seed)
    scores = [
        scored(kind, picture, alpha, number, number >= len(cutouts), segmenter)
        for number in range(len(subjects))
        for kind, picture, alpha in pictures(subjects, number, random)
    ]
    report(scores)


def fitted(subject: Subject) -> Subject:
    """Return the subject with a longer side of at most `LONGEST_SIDE`."""
    height, width = subject.alpha.shape
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    weighed = np.dstack([subject.colour * subject.alpha[..., None], subject.alpha]).astype(np.float32)
    small = cv2.resize(weighed, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    return Subject(subject.name, np.clip(small[..., :3] / np.maximum(small[..., 3:], 1e-3), 0, 1), small[..., 3])


def pictures(subjects: list[Subject], number: int, random: np.random.Generator) -> Iterator[tuple[str, Array, Array]]:
    """Yield (kind, picture, alpha) of one subject."""
    one = subjects[number]
    height, width = one.alpha.shape
    soft = [background(SOFT[i]) for i in random.integers(0, len(SOFT), 3)]
    busy = [photograph(BUSY[i]).astype(np.float32) / 255 for i in random.integers(0, len(BUSY), 3)]
    plain, textured = sized(soft[0], width, height), sized(busy[0], width, height)
    yield picture("soft ground", one, plain)
    yield picture("busy ground", one, textured)
    yield picture("own colours", one, camouflaged(plain, one))
    yield picture("own colours, busy", one, camouflaged(textured, one))
    yield picture("out of focus", out_of_focus(one), plain)
    yield picture("compressed", one, sized(soft[1], width, height), STRONG)
    yield picture("small", somewhere(one, 0.12, random), sized(soft[1], WIDTH, HEIGHT))
    yield picture("small, busy", somewhere(one, 0.3, random), sized(busy[1], WIDTH, HEIGHT))
    close = close_up(one, random)
    yield picture("close-up", close, sized(soft[2], close.alpha.shape[1], close.alpha.shape[0]))
    behind = sized(busy[2], WIDTH, HEIGHT)
    mean = behind.mean(axis=(0, 1))
    placed = somewhere(one, 0.35, random)
    faded = Subject(one.name, placed.colour * HAZE + mean * (1 - HAZE), placed.alpha)
    yield picture("haze", faded, behind * HAZE + mean * (1 - HAZE))
    behind = sized(soft[2], WIDTH, HEIGHT)
    for other in random.choice(np.delete(np.arange(len(subjects)), number), CLUTTER, replace=False):
        things = out_of_focus(somewhere(subjects[other], 0.12, random))
        behind = things.colour * things.alpha[..., None] + behind * (1 - things.alpha[..., None])
    yield picture("clutter", somewhere(one, 0.3, random), behind)


def sized(ground: Array, width: int, height: int) -> Array:
    return np.asarray(cv2.resize(ground, (width, height), interpolation=cv2.INTER_AREA))


def picture(kind: str, subject: Subject, ground: Array, quality: int = QUALITY) -> tuple[str, Array, Array]:
    """Return the kind, the composite as a JPEG shows it, and the alpha."""
    _, file = cv2.imencode(".jpg", over(subject, ground)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return kind, np.ascontiguousarray(np.asarray(cv2.imdecode(file, 1))[..., ::-1]), subject.alpha


def close_up(subject: Subject, random: np.random.Generator) -> Subject:
    """Return the subject's box, less up to `CROP` on each side."""
    rows, columns = (np.flatnonzero((subject.alpha > 0.5).any(axis=axis)) for axis in (1, 0))
    places = []
    for inside in (rows, columns):
        first, last = int(inside[0]), int(inside[-1]) + 1
        before, after = (int(share * (last - first)) for share in random.uniform(0, CROP, 2))
        places.append(slice(first + before, last - after))
    return Subject(subject.name, subject.colour[tuple(places)], subject.alpha[tuple(places)])


def scored(kind: str, pixels: Array, alpha: Array, subject: int, drawn: bool, segmenter: Segmenter) -> Score:
    """Cut out a picture as the service does by default."""
    photo = Photo(pixels)
    first = segment(photo, segmenter, Deadline())
    looked = look_again(photo, first, segmenter, Options(), Deadline())
    large = cv2.resize(first, (photo.width, photo.height), interpolation=cv2.INTER_CUBIC)
    matte = refine(looked.mask, photo, Options(), Deadline())
    found = confirmed(confidence(first), looked.agreement)
    return Score(found, overlap(np.asarray(large), alpha), overlap(matte, alpha), kind, subject, drawn)


def auc(scores: list[Score]) -> float:
    """Return the chance that of two pictures, one of which needs a hand, that one has the lower confidence."""
    bad, good = (np.array([s.confidence for s in scores if (s.first < FAILED) is wanted]) for wanted in (True, False))
    if not (bad.size and good.size):
        return float("nan")
    lower = (bad[:, None] < good[None, :]).mean() + 0.5 * (bad[:, None] == good[None, :]).mean()
    return float(lower)


def interval(scores: list[Score]) -> tuple[float, float]:
    """Return the 95 % interval of the AUC."""
    random = np.random.default_rng(1)
    by_subject: dict[int, list[Score]] = {}
    for score in scores:
        by_subject.setdefault(score.subject, []).append(score)
    groups = list(by_subject.values())
    resampled = ([s for i in random.integers(0, len(groups), len(groups)) for s in groups[i]] for _ in range(RESAMPLES))
    low, high = np.nanpercentile([auc(some) for some in resampled], [2.5, 97.5])
    return float(low), float(high)


def report(scores: list[Score]) -> None:
    """Print both tables."""
    photographed = [score for score in scores if not score.drawn]
    groups = {"photographed cut-outs": photographed, "with drawn subjects": scores}
    groups |= {kind: [s for s in photographed if s.kind == kind] for kind in dict.fromkeys(s.kind for s in scores)}
    table = Table("pictures", "n", "need a hand", "AUC", "95 %", title=f"A first mask below {FAILED} needs a hand")
    for name, some in groups.items():
        low, high = interval(some)
        failed = sum(s.first < FAILED for s in some)
        table.add_row(name, str(len(some)), str(failed), f"{auc(some):.3f}", f"{low:.3f} to {high:.3f}")
    Console().print(table)
    headings = ("confidence", "pictures", "need a hand", "ruined", "below the end, need a hand", "found below the end")
    table = Table(*headings, title="Results of photographed cut-outs")
    least, failures = 0.0, max(1, sum(s.result < FAILED for s in photographed))
    for most in BOUNDS:
        results = np.array([s.result for s in photographed if least <= s.confidence < most])
        below = np.array([s.result for s in photographed if s.confidence < most])
        failed = int((below < FAILED).sum())
        shares = [float((results < limit).mean()) if results.size else 0.0 for limit in (FAILED, FOUND)]
        shown = [f"{share:.0%}" for share in (*shares, failed / max(1, below.size), failed / failures)]
        table.add_row(f"{least:.1f} to {min(most, 1):.1f}", str(results.size), *shown)
        least = most
    Console().print(table)


if __name__ == "__main__":
    main()
