"""A mask of the model's size becomes a matte of the photo's size."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.deadline import Deadline
from services.decode import Matte, Photo, Pixels
from services.matting import FIXED, Level, LocalColours, Plane, Problem, solve
from services.options import Edges, Options
from services.segment import Mask

MAX_EXACT_SIGMA: Final = 4.0  # px; beyond, three boxes are as good and faster
SURE_SUBJECT, SURE_BACKGROUND = 252, 3  # values of mask and matte beyond which they are believed
DOUBT: Final = 2  # px: so near an uncertain value nothing is sure
EPSILON: Final = 1e-6  # variance of colours, of full scale squared
CONTRAST: Final = 1.1  # takes a haze of one part in twenty from both ends
TILE: Final = 12  # cells of the working size that are refined together at full size


@dataclass(frozen=True)
class Pass:
    """One look at the photo at about `side` px; `pull`: how much an uncertain pixel is bound to what was found before."""

    side: int
    levels: tuple[Level, ...]
    pull: float


# Found on the composites of benchmarks/quality.py; errors are flat around these figures. Windows much smaller than these
# converge too slowly to carry colours across a band of the mask's uncertainty.
REFINED: Final = Pass(400, (Level(3, 10, 6), Level(1, 6, 8)), 0.003)
NARROWED: Final = Pass(1000, (Level(1, 12, 4),), 0.02)
PASSES: Final = {Edges.SOFT: (), Edges.REFINED: (REFINED,), Edges.MATTING: (REFINED, NARROWED)}


def refine(mask: Mask, photo: Photo, options: Options, deadline: Deadline) -> Matte:
    """The matte: resized and, unless `edges=soft`, led by the photo; then `alpha_boost`, `threshold` and `feather`.

    Never more opaque than the photo's own transparency. Raises `DeadlineExceeded`.
    """
    matte = _resize(mask, photo.width, photo.height)
    doubt = _doubt(mask)
    for look in PASSES[options.edges]:
        matte = _led_by_photo(matte, doubt, photo.pixels, look, deadline)
        doubt = _doubt(matte)
    if options.alpha_boost != 1.0:
        matte = _boost(matte, options.alpha_boost)
    if options.threshold is not None:
        matte = np.where(matte >= options.threshold, np.uint8(255), np.uint8(0))
    if options.feather:
        matte = feather(matte, options.feather)
    return matte if photo.alpha is None else np.minimum(matte, photo.alpha)


def _resize(mask: Mask, width: int, height: int) -> Matte:
    shrinks = width < mask.shape[1] and height < mask.shape[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(mask, (width, height), interpolation=interpolation), dtype=np.uint8)


def _led_by_photo(matte: Matte, doubt: NDArray[np.uint8], pixels: Pixels, look: Pass, deadline: Deadline) -> Matte:
    """Solve at a working size, then give every uncertain pixel of the photo the alpha that its own colour means.

    The working size is the photo's divided by a whole number, so that each cell covers whole pixels. What `doubt` (of
    any size) leaves at 0 is sure, and becomes exactly 0 or 255.
    """
    height, width = matte.shape
    cell = max(1, min(round(max(width, height) / look.side), width, height))
    size = (width // cell, height // cell)
    unsure = cv2.resize(doubt, size, interpolation=cv2.INTER_LINEAR) > 0
    if not unsure.any():
        return np.where(matte > 127, np.uint8(255), np.uint8(0))
    whole = (slice(0, size[1] * cell), slice(0, size[0] * cell))
    image = cv2.resize(pixels[whole], size, interpolation=cv2.INTER_AREA).astype(np.float32) * np.float32(1 / 255)
    rough = cv2.resize(matte[whole], size, interpolation=cv2.INTER_AREA).astype(np.float32) * np.float32(1 / 255)
    rough = np.where(unsure, rough, (rough > 0.5).astype(np.float32))
    weight = np.where(unsure, np.float32(look.pull), np.float32(FIXED))
    alpha, colours = solve(Problem(image, rough, weight), look.levels, EPSILON, deadline)
    return _apply(colours, alpha, unsure, pixels, cell)


def _doubt(alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """255 where alpha is neither 0 nor 255, changes from one to the other, or is so near that it may be wrong; else 0."""
    between = np.where((alpha >= SURE_BACKGROUND) & (alpha <= SURE_SUBJECT), np.uint8(255), np.uint8(0))
    halves = np.where(alpha > 127, np.uint8(255), np.uint8(0))
    edges = cv2.morphologyEx(halves, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * DOUBT + 1, 2 * DOUBT + 1))
    return np.asarray(cv2.dilate(cv2.max(between, edges), disc), dtype=np.uint8)


def _apply(colours: LocalColours, alpha: Plane, unsure: NDArray[np.bool_], pixels: Pixels, cell: int) -> Matte:
    """The matte at full size: sure cells as they are, others by their colour model, tile by tile."""
    height, width = pixels.shape[:2]
    size = (alpha.shape[1] * cell, alpha.shape[0] * cell)
    sure = np.where(unsure, np.uint8(0), (alpha > 0.5).astype(np.uint8) * np.uint8(255))
    matte = cv2.resize(sure, size, interpolation=cv2.INTER_NEAREST)
    matte = cv2.copyMakeBorder(matte, 0, height - size[1], 0, width - size[0], cv2.BORDER_REPLICATE)
    model = cv2.copyMakeBorder(cv2.merge(colours.fit(alpha)), 1, 2, 1, 2, cv2.BORDER_REPLICATE)
    marked = np.pad(unsure, ((0, 1), (0, 1)), mode="edge")
    for top, left, bottom, right in _tiles(marked):
        rows = slice(top * cell, min(bottom * cell, height))
        columns = slice(left * cell, min(right * cell, width))
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        if tall <= 0 or wide <= 0:
            continue
        part = model[top : bottom + 2, left : right + 2]
        grown = _grown(part, cell)
        found = _by_colour(grown[cell : cell + tall, cell : cell + wide], pixels[rows, columns])
        mine = np.repeat(np.repeat(marked[top:bottom, left:right], cell, axis=0), cell, axis=1)[:tall, :wide]
        np.copyto(matte[rows, columns], found, where=mine)
    return np.asarray(matte, dtype=np.uint8)


def _grown(part: NDArray[np.float32], cell: int) -> NDArray[np.float32]:
    grown = cv2.resize(part, None, fx=cell, fy=cell, interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown, dtype=np.float32)


def _tiles(marked: NDArray[np.bool_]) -> Iterator[tuple[int, int, int, int]]:
    """(top, left, bottom, right), in cells, of every tile that holds a marked cell."""
    height, width = marked.shape
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            bottom, right = min(top + TILE, height), min(left + TILE, width)
            if marked[top:bottom, left:right].any():
                yield top, left, bottom, right


def _by_colour(model: NDArray[np.float32], pixels: Pixels) -> Matte:
    """Alpha of each pixel from its colour: slopes · colour + offset, with a little more contrast."""
    weighed = cv2.multiply(model[:, :, :3], pixels, scale=CONTRAST, dtype=cv2.CV_32F)
    total = cv2.transform(weighed, np.ones((1, 3), np.float32))
    offset = cv2.extractChannel(model, 3)
    return np.asarray(
        cv2.addWeighted(total, 1.0, offset, 255 * CONTRAST, 127.5 * (1 - CONTRAST), dtype=cv2.CV_8U), dtype=np.uint8
    )


def _boost(matte: Matte, gain: float) -> Matte:
    """Contrast around one half: 0.5 stays, what lies above goes up, what lies below goes down."""
    levels = (np.arange(256, dtype=np.float32) - 127.5) * gain + 127.5
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(matte, table), dtype=np.uint8)


def feather(matte: Matte, radius: float) -> Matte:
    """A blur that reaches about `radius` px to either side of an edge: a Gaussian of half that as sigma.

    Three box blurs stand for a wide Gaussian, so that the time does not grow with the radius (Kovesi, "Fast almost
    Gaussian filtering", 2010).
    """
    sigma = radius / 2
    if sigma <= MAX_EXACT_SIGMA:
        return np.asarray(cv2.GaussianBlur(matte, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)
    ideal = int(math.sqrt(4 * sigma * sigma + 1))
    low = ideal - 1 if ideal % 2 == 0 else ideal
    narrow = round((12 * sigma * sigma - 3 * low * low - 12 * low - 9) / (-4 * low - 4))
    blurred = matte
    for index in range(3):
        side = low if index < narrow else low + 2
        blurred = np.asarray(cv2.blur(blurred, (side, side), borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)
    return blurred
