"""Report how still the masks of animations hold: `python -m benchmarks.animation --cutouts folder`.

Clips are made of cut-outs with a true alpha (PNGs, as Debian's `tuxpaint-stamps-default` has) in front of
photographs out of focus: a subject that rests, one that sways, and one that crosses the picture, each frame a JPEG with
noise of its own, or one of a GIF with dithered colours. Flicker is the mean change from frame to frame, × 1000, of
pixels whose truth does not change.
"""

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.drawing import Subject
from benchmarks.quality_losses import drawn, overlap, real_cutout
from benchmarks.subjects import background
from bootstrap.removal import engine_settings
from config import load_settings
from services.capacity.deadline import Deadline, Stopwatch
from services.imaging.animation.steady import look_of, steadied
from services.imaging.edges.matte import find_mask, refined_matte
from services.imaging.geometry import Box
from services.imaging.options import Options
from services.imaging.rasters import Mask, Photo
from services.imaging.segment import Segmenter
from services.imaging.values import Detail
from services.inference.registry import Models

WIDTH, HEIGHT = 480, 360
FRAMES: Final = 12
# Of the picture's height.
SUBJECT: Final = 0.6
# px a frame; degrees to either side.
STEP, SWAY = 6, 4
NOISE: Final = 3.0  # levels
QUALITY: Final = 85
EVERY: Final = 10  # every tenth cut-out
MOVES: Final = ("rests", "sways", "crosses")
EDGES: Final = ("soft", "refined")
# As in animations.
ONE_LOOK: Final = Options(detail=Detail.OFF)
Array = NDArray[Any]


class Clip(NamedTuple):
    """A clip's frames, and the truth of each, 0 to 1."""

    photos: list[Photo]
    truths: list[Array]


def main() -> None:
    """Print a table: for each movement flicker and overlap without steadying and with it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cutouts", type=Path, required=True, help="a folder of cut-outs with true alpha")
    folder = parser.parse_args().cutouts
    settings = load_settings()
    models = Models([settings.rembg_model_name], settings.rembg_session_path, engine_settings(settings))
    segmenter = models.get(None, Deadline())
    headings = ("subject", "frames as", "edges", "clips", "flicker", "steadied", "IoU", "steadied", "worst IoU lost")
    table = Table(*headings, title="Masks of neighbouring frames")
    for moves in MOVES:
        for gif in (False, True):
            rows = np.array([scores(clip, segmenter) for clip in clips(folder, moves, gif=gif)])
            for number, edges in enumerate(EDGES):
                table.add_row(moves, "GIF" if gif else "JPEG", edges, str(len(rows)), *cells(rows[:, number]))
    Console(width=120).print(table)


def clips(folder: Path, moves: str, *, gif: bool) -> Iterator[Clip]:
    """Yield a clip of each chosen cut-out."""
    names = sorted(drawn())
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        subject = real_cutout(path) if number % EVERY == 0 else None
        if subject is not None:
            ground = cv2.resize(background(names[number % len(names)].rpartition("-")[2]), (WIDTH, HEIGHT))
            yield clip_of(subject, ground, moves, gif=gif)


def clip_of(subject: Subject, ground: Array, moves: str, *, gif: bool) -> Clip:
    """Return the clip of one subject."""
    generator = np.random.default_rng(11)
    photos, truths = [], []
    for number in range(FRAMES):
        colour, alpha = placed(subject, moves, number)
        seen = (colour * alpha[..., None] + ground * (1 - alpha[..., None])) * 255
        pixels = np.clip(seen + generator.normal(0, NOISE, seen.shape), 0, 255).astype(np.uint8)
        photos.append(Photo(through_gif(pixels) if gif else through_jpeg(pixels)))
        truths.append(alpha)
    return Clip(photos, truths)


def placed(subject: Subject, moves: str, number: int) -> tuple[Array, Array]:
    """Return colour and alpha of the subject in frame `number`."""
    height, width = subject.alpha.shape
    scale = min(SUBJECT * HEIGHT / height, SUBJECT * WIDTH / width)
    angle = SWAY * np.sin(number / FRAMES * 2 * np.pi) if moves == "sways" else 0.0
    right = STEP * (number - FRAMES / 2) if moves == "crosses" else 0.0
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    turn[:, 2] += (WIDTH / 2 + right - width / 2, HEIGHT / 2 - height / 2)
    weighed = np.dstack([subject.colour * subject.alpha[..., None], subject.alpha]).astype(np.float32)
    sheet = np.clip(cv2.warpAffine(weighed, turn, (WIDTH, HEIGHT), flags=cv2.INTER_AREA), 0, 1)
    return sheet[..., :3] / np.maximum(sheet[..., 3:], 1e-3), sheet[..., 3]


def through_jpeg(pixels: Array) -> Array:
    """Return the pixels after a JPEG."""
    _, file = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR))[..., ::-1])


def through_gif(pixels: Array) -> Array:
    """Return the pixels in 256 dithered colours."""
    image = Image.fromarray(pixels)
    palette = image.quantize(256, method=Image.Quantize.MEDIANCUT)
    return np.asarray(image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))


def scores(clip: Clip, segmenter: Segmenter) -> list[list[float]]:
    """Return flicker and overlap, each without and with steadying, for each edge mode."""
    watch = Stopwatch(Deadline())
    masks = [find_mask(photo, ONE_LOOK, segmenter, watch).mask for photo in clip.photos]
    looks = [look_of(mask, photo) for mask, photo in zip(masks, clip.photos, strict=True)]
    return [measured(clip, masks, list(steadied(looks)), edges) for edges in EDGES]


def measured(clip: Clip, before: list[Mask], after: list[Mask], edges: str) -> list[float]:
    """Return (flicker before, after, IoU before, after)."""
    found = [mattes(clip, masks, edges) for masks in (before, after)]
    return [flicker(clip, one) for one in found] + [
        float(np.mean([overlap(matte, truth) for matte, truth in zip(one, clip.truths, strict=True)])) for one in found
    ]


def mattes(clip: Clip, masks: list[Mask], edges: str) -> list[Array]:
    """Return the mattes of these masks."""
    options, watch = Options.parse({"edges": edges}), Stopwatch(Deadline())
    return [
        refined_matte(mask, Box(0, 0, photo.width, photo.height), photo, options, watch)
        for mask, photo in zip(masks, clip.photos, strict=True)
    ]


def flicker(clip: Clip, found: list[Array]) -> float:
    """Return the mean change of pixels whose truth does not change, × 1000."""
    changes = []
    for (one, other), (true, next_true) in zip(pairwise(found), pairwise(clip.truths), strict=True):
        still = np.abs(true - next_true) < 1 / 255
        changes.append(np.abs(one[still].astype(float) - other[still]).mean() / 255 * 1000)
    return float(np.mean(changes))


def cells(rows: Array) -> list[str]:
    """Return a table row's figures."""
    flickers, steadied_flickers, overlaps, steadied_overlaps = rows.T
    return [
        f"{flickers.mean():.2f}",
        f"{steadied_flickers.mean():.2f}",
        f"{overlaps.mean():.4f}",
        f"{steadied_overlaps.mean():.4f}",
        f"{(overlaps - steadied_overlaps).max():.4f}",
    ]


if __name__ == "__main__":
    main()
