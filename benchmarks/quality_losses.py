"""Report what refining costs or gains a subject: the overlap (IoU) of each edge mode with the true subject, by group,
the difference from `edges=soft` with its 95 % confidence interval, and the error in the edge band.

Each subject stands in front of an ordinary background, of one in the subject's own colours, at 400×300, out of
focus, and in a strongly compressed JPEG. Pictures whose subject the model does not find are left out. More cut-outs
with a true alpha, as PNGs in folders, can be added:
`python -m benchmarks.quality --losses-only --cutouts /usr/share/tuxpaint/stamps` (Debian's
`tuxpaint-stamps-default`).
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.drawing import Subject
from benchmarks.drawn_subjects import DRAWN
from benchmarks.subjects import BACKGROUNDS, PHOTOGRAPHED, background, over

# The model has found a subject from this IoU; below the second one, the result needs a hand.
FOUND, FAILED = 0.5, 0.8
SMALL: Final = (400, 300)
DEFOCUS: Final = 6.0  # px, sigma
COMPRESSED: Final = 35  # JPEG quality
BAND: Final = 12  # px
MODES: Final = ("soft", "refined", "matting")
# Folders of drawings rather than photographs.
DRAWINGS: Final = frozenset({"cartoon", "symbols", "flags", "outlined", "roadsigns", "toys", "plastic"})
LEAST_SIDE, LEAST_COLOURS = 180, 8000

Array = NDArray[Any]
Mattes = Callable[[Array], Mapping[str, Array]]


def report_losses(subjects: dict[str, Subject], cutouts: Path | None, mattes: Mattes) -> dict[str, dict[str, float]]:
    """Print a row for each group and mode; return the mean IoU of each. `mattes` gives each mode's matte, 0 to 255."""
    scores: dict[str, list[dict[str, tuple[float, float]]]] = {}
    for group, picture, alpha in pictures(subjects, cutouts):
        band = edge_band(alpha)
        row = {
            mode: (overlap(matte, alpha), float(np.abs(matte / 255 - alpha)[band].mean() * 1000))
            for mode, matte in mattes(picture).items()
        }
        if row["soft"][0] >= FOUND:
            scores.setdefault(group, []).append(row)
    headings = ("group", "n", "edges", "IoU", "- soft", f"below {FAILED}", "lost", "gained", "band")
    table = Table(*headings, title="Subjects lost by refining")
    for group, rows in sorted(scores.items()):
        for mode in MODES:
            table.add_row(group, str(len(rows)), mode, *cells(rows, mode))
    if len(scores) > 1:
        rows = [row for group in scores.values() for row in group]
        for mode in MODES:
            table.add_row("all", str(len(rows)), mode, *cells(rows, mode))
    Console().print(table)
    return {g: {m: float(np.mean([row[m][0] for row in rows])) for m in MODES} for g, rows in scores.items()}


def cells(rows: list[dict[str, tuple[float, float]]], mode: str) -> list[str]:
    """Return a table row's figures for a mode."""
    found, soft = (np.array([row[m][0] for row in rows]) for m in (mode, "soft"))
    more = found - soft
    half = 1.96 * more.std() / np.sqrt(len(rows))
    counts = [(found < FAILED).sum(), (more < -0.02).sum(), (more > 0.02).sum()]
    band = np.mean([row[mode][1] for row in rows])
    return [f"{found.mean():.4f}", f"{more.mean():+.4f}±{half:.4f}", *map(str, counts), f"{band:.1f}"]


def edge_band(alpha: Array) -> NDArray[np.bool_]:
    """Return the pixels within `BAND` of a soft pixel or of a hard edge."""
    soft = ((alpha > 0.02) & (alpha < 0.98)).astype(np.uint8)
    steps = cv2.morphologyEx((alpha >= 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BAND + 1, 2 * BAND + 1))
    return np.asarray(cv2.dilate(cv2.max(soft, steps), disc) > 0)


def drawn() -> dict[str, Subject]:
    """Return the drawn subjects by names that end in their background's."""
    return {f"{subject.name}-{BACKGROUNDS[subject.name][0]}": subject for subject in (draw() for draw in DRAWN)}


def pictures(subjects: dict[str, Subject], cutouts: Path | None) -> Iterator[tuple[str, Array, Array]]:
    """Yield (group, picture, alpha)."""
    grounds = {name: background(name.rpartition("-")[2]) for name in subjects}
    for name, subject in sorted(subjects.items()):
        source = "photographed" if name.partition("-")[0] in PHOTOGRAPHED else "drawn"
        yield from variants(source, subject, grounds[name])
    names = sorted(grounds)
    for number, path in enumerate(sorted(cutouts.rglob("*.png")) if cutouts else ()):
        subject_or_none = real_cutout(path)
        if subject_or_none:
            yield from variants("real cut-outs", subject_or_none, grounds[names[number % len(names)]])


def variants(source: str, subject: Subject, ground: Array) -> Iterator[tuple[str, Array, Array]]:
    """Yield the subject before the ground, before one of its own colours, small, out of focus, and compressed."""
    height, width = subject.alpha.shape
    ground = cv2.resize(ground, (width, height), interpolation=cv2.INTER_AREA)
    plain = over(subject, ground)
    yield source, plain, subject.alpha
    yield f"{source}, camouflaged", over(subject, camouflaged(ground, subject)), subject.alpha
    yield (
        f"{source}, small",
        cv2.resize(plain, SMALL, interpolation=cv2.INTER_AREA),
        cv2.resize(subject.alpha, SMALL, interpolation=cv2.INTER_AREA),
    )
    defocused = out_of_focus(subject)
    yield f"{source}, out of focus", over(defocused, ground), defocused.alpha
    _, file = cv2.imencode(".jpg", plain[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, COMPRESSED])
    yield f"{source}, compressed", np.ascontiguousarray(np.asarray(cv2.imdecode(file, 1))[..., ::-1]), subject.alpha


def out_of_focus(subject: Subject) -> Subject:
    """Return the subject as a lens out of focus shows it."""
    weighed = np.dstack([subject.colour * subject.alpha[..., None], subject.alpha]).astype(np.float32)
    blurred = cv2.GaussianBlur(weighed, (0, 0), DEFOCUS)
    alpha = blurred[..., 3]
    return Subject(subject.name, np.clip(blurred[..., :3] / np.maximum(alpha, 1e-3)[..., None], 0, 1), alpha)


def camouflaged(ground: Array, subject: Subject) -> Array:
    """Return the ground with mean and spread of the subject's colours (Reinhard et al., "Color Transfer between
    Images", 2001).
    """
    seen, wanted = (
        cv2.cvtColor(np.asarray(colours, dtype=np.float32), cv2.COLOR_RGB2LAB) for colours in (ground, subject.colour)
    )
    inside = wanted[subject.alpha > 0.9]
    mean, spread = seen.mean(axis=(0, 1)), seen.std(axis=(0, 1)) + 1e-3
    moved = (seen - mean) / spread * (0.8 * inside.std(axis=0)) + inside.mean(axis=0)
    shown = cv2.cvtColor(np.asarray(moved, dtype=np.float32), cv2.COLOR_LAB2RGB)
    return np.asarray(np.clip(shown, 0, 1))


def real_cutout(path: Path) -> Subject | None:
    """Return a photograph's cut-out with a margin, None for a drawing or one too small."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if DRAWINGS & set(path.parts) or image is None or image.ndim < 3 or image.shape[2] < 4 or image.dtype != np.uint8:
        return None
    if min(image.shape[:2]) < LEAST_SIDE or len(np.unique(image[..., :3].reshape(-1, 3), axis=0)) < LEAST_COLOURS:
        return None
    margin_y, margin_x = (length // 5 for length in image.shape[:2])
    sheet = cv2.copyMakeBorder(image, margin_y, margin_y, margin_x, margin_x, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    colour = sheet[..., 2::-1].astype(np.float32) / 255
    return Subject(path.stem, colour, sheet[..., 3].astype(np.float32) / 255)


def overlap(matte: Array, alpha: Array) -> float:
    """Return the intersection over union of matte and alpha, both cut at one half."""
    found, true = matte > 127, alpha > 0.5
    return float((found & true).sum() / max(1, (found | true).sum()))
