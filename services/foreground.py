"""The subject's own colours where it is half transparent: without the light of the background behind it.

A pixel of a soft edge is a mixture, alpha · foreground + (1 − alpha) · background. Shown on another background it would
bring the old one along as a fringe. Both are estimated as weighted means of their neighbourhood, then corrected so that
they give the photo's colour again (Forte, "Approximate Fast Foreground Colour Estimation", 2021). The means, each
narrower than the one before, are taken on cells; the correction is done on every pixel.
"""

from typing import Final

import cv2
import numpy as np

from services.blend import on_grey
from services.cells import Cells, Plane
from services.decode import Matte, Photo

ACROSS: Final = 400  # cells along the longer side
LEAST, MOST = np.array([3]), np.array([251])  # alpha beyond which nobody sees whose colour it is
RADII: Final = (12, 6, 2)  # of the means, one after the other, in cells
TINY: Final = np.float32(1e-6)


def decontaminate(photo: Photo, matte: Matte) -> Photo:
    """The photo with the foreground's colours where 0 < alpha < 255; all other pixels bit for bit as they were.

    Pixels that the photo itself has half transparent have the subject's own colour already, and keep it.
    """
    cells = Cells.about(photo.width, photo.height, ACROSS)
    soft = np.asarray(cv2.inRange(matte, LEAST, MOST), dtype=np.uint8)
    if photo.alpha is not None:
        soft[photo.alpha < 255] = 0
    marked = cells.holding(soft)
    if not marked.any():
        return photo
    pixels = on_grey(photo)
    foreground, contrast = map(cells.pad, _estimates(cells.means(pixels), cells.means(matte)))
    result = photo.pixels.copy()
    for tile in cells.tiles(marked):
        alpha = cv2.merge([matte[tile.pixels]] * 3)
        guess = tile.grown(foreground)
        # foreground + alpha · (what the mixture of both lacks of the photo's colour)
        lacks = cv2.multiply(cv2.bitwise_not(alpha), tile.grown(contrast), scale=1 / 255, dtype=cv2.CV_32F)
        lacks = cv2.add(lacks, cv2.subtract(pixels[tile.pixels], guess, dtype=cv2.CV_32F))
        found = cv2.add(guess, cv2.multiply(alpha, lacks, scale=1 / 255, dtype=cv2.CV_32F), dtype=cv2.CV_8U)
        cv2.copyTo(found, soft[tile.pixels], result[tile.pixels])
    return Photo(result, photo.alpha)


def _estimates(colour: Plane, alpha: Plane) -> tuple[Plane, Plane]:
    """Each cell's foreground, 0 to 255, and how far it is from the background, −255 to 255.

    Weights are squared, so that pure pixels count for more than mixed ones: on composites with known foreground this
    halves the error.
    """
    cover = alpha[:, :, None]
    foreground = background = colour
    for radius in RADII:
        foreground = _weighed(foreground, alpha * alpha, radius)
        background = _weighed(background, (1 - alpha) * (1 - alpha), radius)
        if radius != RADII[-1]:
            missing = colour - background - cover * (foreground - background)
            foreground = np.clip(foreground + cover * missing, 0, 1)
            background = np.clip(background + (1 - cover) * missing, 0, 1)
    return foreground * np.float32(255), (foreground - background) * np.float32(255)


def _weighed(colour: Plane, weight: Plane, radius: int) -> Plane:
    """The neighbourhood's mean of colour, by weight; where nothing has weight, the colour itself."""
    total = _mean(weight, radius)[:, :, None] + TINY
    return np.asarray((_mean(colour * weight[:, :, None], radius) + TINY * colour) / total, dtype=np.float32)


def _mean(plane: Plane, radius: int) -> Plane:
    window = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.blur(plane, window, borderType=cv2.BORDER_REPLICATE), dtype=np.float32)
