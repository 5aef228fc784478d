"""A mask of the model's size becomes a matte of the photo's size."""

import math
from typing import Final

import cv2
import numpy as np

from services.decode import Matte, Photo
from services.options import Options
from services.segment import Mask

MAX_EXACT_SIGMA: Final = 4.0  # px; beyond, three boxes are as good and faster


def refine(mask: Mask, photo: Photo, options: Options) -> Matte:
    """The matte: resized (`edges=soft`), then `alpha_boost`, `threshold` and `feather`, in this order.

    Never more opaque than the photo's own transparency.
    """
    matte = _resize(mask, photo.width, photo.height)
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
