"""Turns a mask of the model's size into a matte of the photo's size."""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.capacity.deadline import Deadline
from services.imaging.blend import on_grey
from services.imaging.edges.guided import CONTRAST, Beliefs, GridPhoto, Pass, follow, grip, passes
from services.imaging.edges.trust import SoftMatte, guard
from services.imaging.options import Edges, Options
from services.imaging.rasters import Mask, Matte, Photo, Pixels

# px; beyond this, three box blurs are as good and faster.
MAX_EXACT_SIGMA: Final = 4.0
# Values of mask and matte beyond which they are certain.
SURE_SUBJECT, SURE_BACKGROUND = 252, 3
# px around an uncertain value that are uncertain too.
DOUBT: Final = 2

# px of the photo's longer side: a small photo shows little that its mask lacks. The mean of matte and mask is nearer to
# the truth there, and up to the second size the matte gets more of the weight.
SMALL_SIDE, LARGE_SIDE = 400, 800

OPENING: Final = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))  # a disc of radius 1
SMOOTH_SIGMA: Final = 2.0  # px
HALF: Final = 127
SMOOTH_LEVELS: Final = 256


@dataclass(frozen=True)
class Given:
    """The model's mask, the same mask at the photo's size (`soft`), and the photo's pixels."""

    mask: Mask
    soft: Matte
    pixels: Pixels


def refine(mask: Mask, photo: Photo, options: Options, deadline: Deadline) -> Matte:
    """Return the matte: resized and, unless `edges=soft`, guided by the photo; then `alpha_boost`, `threshold`,
    `feather`.

    Never more opaque than the photo's own transparency. Raises `DeadlineExceeded`.
    """
    matte = _resize(mask, photo.width, photo.height)
    if options.edges is not Edges.SOFT:
        soft, known = matte, mask
        given = Given(mask, soft, on_grey(photo))
        for look in passes(options.edges, max(photo.width, photo.height)):
            known = matte = _guided_by_photo(given, known, matte, look, deadline)
        # A photo that is a cut-out already: its own edge is the better one and is not cut twice.
        matte = _weighed_by_size(matte, soft) if photo.alpha is None else np.maximum(matte, soft)
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


def _guided_by_photo(given: Given, known: Mask, matte: Matte, look: Pass, deadline: Deadline) -> Matte:
    """Solve at a working size, then derive every uncertain pixel's alpha from its own colour.

    The working size is the photo's divided by a whole number, so that each cell covers whole pixels. Where `_doubt` is
    0 the mask is sure and becomes exactly 0 or 255. Where colours do not explain the mask, alpha stays near the mask.
    """
    photo = GridPhoto.about(given.pixels, look.side)
    size = photo.cells.size
    unsure = cv2.resize(_doubt(known), size, interpolation=cv2.INTER_LINEAR) > 0
    if not unsure.any():
        return np.where(matte > 127, np.uint8(255), np.uint8(0))
    weight = cv2.resize(grip(known), size, interpolation=cv2.INTER_LINEAR) + np.float32(look.pull)
    means = photo.cells.means(matte)
    soft = SoftMatte(given.mask, given.soft, means if matte is given.soft else photo.cells.means(given.soft))
    beliefs = Beliefs(means, unsure, np.asarray(weight, dtype=np.float32))
    return follow(photo, beliefs, look.levels, lambda alpha: guard(soft, photo, alpha).keep, deadline)


def _weighed_by_size(matte: Matte, soft: Matte) -> Matte:
    """Return a small photo's matte averaged with its mask. Where the mask is sure, both are 0 or 255."""
    share = (max(matte.shape) - SMALL_SIDE) / (LARGE_SIDE - SMALL_SIDE)
    weight = 0.5 + 0.5 * min(1.0, max(0.0, share))
    if weight == 1.0:
        return matte
    return np.asarray(cv2.addWeighted(matte, weight, _boost(soft, CONTRAST), 1 - weight, 0), dtype=np.uint8)


def _doubt(alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 255 where alpha is neither 0 nor 255, jumps from one to the other, or is close to such a place; else 0."""
    between = np.where((alpha >= SURE_BACKGROUND) & (alpha <= SURE_SUBJECT), np.uint8(255), np.uint8(0))
    halves = np.where(alpha > 127, np.uint8(255), np.uint8(0))
    edges = cv2.morphologyEx(halves, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * DOUBT + 1, 2 * DOUBT + 1))
    return np.asarray(cv2.dilate(cv2.max(between, edges), disc), dtype=np.uint8)


def _boost(matte: Matte, gain: float) -> Matte:
    """Raise the contrast around one half: 0.5 stays, higher values go up, lower ones down."""
    levels = (np.arange(256, dtype=np.float32) - 127.5) * gain + 127.5
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(matte, table), dtype=np.uint8)


def feather(matte: Matte, radius: float) -> Matte:
    """Blur the edge over about `radius` px to either side: a Gaussian with half of that as sigma.

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


def smooth(matte: Matte, limit: Matte | None) -> Matte:
    """Open the matte (specks and threads of a pixel vanish), blur it, and cut it at one half: 0 and 255 only.

    Order and figures are rembg's `post_process` (2.0.86). Never more opaque than `limit`, the photo's own transparency.
    """
    opened = cv2.morphologyEx(matte, cv2.MORPH_OPEN, OPENING)
    # With whole levels, rounding would move the cut.
    fine = opened.astype(np.uint16) * np.uint16(SMOOTH_LEVELS)
    blurred = cv2.GaussianBlur(fine, (0, 0), SMOOTH_SIGMA, borderType=cv2.BORDER_REFLECT)
    hard = np.where(blurred >= HALF * SMOOTH_LEVELS, np.uint8(255), np.uint8(0))
    return hard if limit is None else np.minimum(hard, limit)
