"""Restores the subject's own colours where it is half transparent, without the light of the old background.

A pixel of a soft edge is a mixture, alpha · foreground + (1 − alpha) · background. On another background it would bring
the old one along as a fringe. Both are estimated as weighted means of their neighbourhood, then corrected so that they
give the photo's colour again (Forte, "Approximate Fast Foreground Colour Estimation", 2021). The means, each narrower
than the one before, are taken on cells; the correction is done on every pixel.
"""

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.imaging.blend import on_grey
from services.imaging.edges.grid import Cells, around
from services.imaging.rasters import Matte, Photo, Plane

ACROSS: Final = 400  # cells along the longer side
# Alpha beyond which a wrong colour is invisible.
LEAST, MOST = np.array([3]), np.array([251])
# (downsample factor, radius) of the blurs, one after the other.
BLUR_PASSES: Final = ((2, 6), (1, 6), (1, 1))
# Cells around the marked ones from which blurs and resizing bring colours.
REACH: Final = 24
TINY: Final = 1e-6


def decontaminate(photo: Photo, matte: Matte) -> Photo:
    """Return the photo with the foreground's colours where 0 < alpha < 255; all other pixels stay bit for bit.

    Pixels that are half transparent in the photo itself have the subject's own colour already, and keep it. The given
    photo is overwritten where possible: copying twelve megapixels would cost more than correcting them.
    """
    cells = Cells.about(photo.width, photo.height, ACROSS)
    soft = np.asarray(cv2.inRange(matte, LEAST, MOST), dtype=np.uint8)
    if photo.alpha is not None:
        soft[photo.alpha < 255] = 0
    marked = cells.holding(soft)
    if not marked.any():
        return photo
    pixels = on_grey(photo)
    window = around(marked, REACH)
    estimates = _estimates(cells.samples(pixels)[window], cells.samples(matte)[window])
    foreground, contrast = (cells.pad(estimate, window) for estimate in estimates)
    result = np.require(photo.pixels, requirements="W")
    for tile in cells.tiles(marked):
        alpha = cv2.cvtColor(matte[tile.pixels] * np.float32(1 / 255), cv2.COLOR_GRAY2RGB)
        guess = tile.grown(foreground)
        # foreground + alpha · (photo − mixture of both)
        lacks = cv2.subtract(pixels[tile.pixels].astype(np.float32), guess)
        lacks = cv2.add(lacks, cv2.multiply(1 - alpha, tile.grown(contrast)))
        found = cv2.add(guess, cv2.multiply(alpha, lacks), dtype=cv2.CV_8U)
        cv2.copyTo(found, soft[tile.pixels], result[tile.pixels])
    return Photo(result, photo.alpha)


def _estimates(colour: Plane, alpha: Plane) -> tuple[Plane, Plane]:
    """Return each cell's foreground, 0 to 255, and its difference from the background, −255 to 255.

    Weights are squared, so that pure pixels count for more than mixed ones: on composites with known foreground this
    halves the error.
    """
    foreground = background = colour
    for shrink, radius in BLUR_PASSES:
        size = [max(1, length // shrink) for length in colour.shape[1::-1]]
        seen, covered, foreground, background = (_sized(p, size) for p in (colour, alpha, foreground, background))
        bare = 1 - covered
        foreground = _mean(foreground, covered * covered, radius)
        background = _mean(background, bare * bare, radius)
        if (shrink, radius) != BLUR_PASSES[-1]:
            shares = [cv2.merge([share] * 3) for share in (covered, bare)]
            missing = seen - foreground * shares[0]
            missing -= background * shares[1]
            for estimate, share in zip((foreground, background), shares, strict=True):
                estimate += missing * share
                np.clip(estimate, 0, 1, out=estimate)
    background -= foreground
    background *= np.float32(-255)
    foreground *= np.float32(255)
    return foreground, background


def _sized(plane: NDArray[Any], size: Sequence[int]) -> Plane:
    """Resize to (width, height) in cells; a plane of that size is returned itself."""
    if plane.shape[1::-1] == tuple(size):
        return plane
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _mean(colour: Plane, weight: Plane, radius: int) -> Plane:
    """Return the neighbourhood's weighted mean colour; where nothing has weight, the colour itself."""
    window = (2 * radius + 1, 2 * radius + 1)
    weighed = cv2.multiply(colour, cv2.merge([weight] * 3))
    total, weights = (cv2.blur(plane, window, borderType=cv2.BORDER_REPLICATE) for plane in (weighed, weight))
    return np.asarray(cv2.divide(cv2.scaleAdd(colour, TINY, total), cv2.merge([weights + TINY] * 3)), dtype=np.float32)
