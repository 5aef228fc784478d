"""Regions of a photo: the region of interest (`roi`), and the box of what is visible."""

from typing import Final

import numpy as np

from services.errors import BadOption
from services.imaging.errors import RegionOutOfBounds
from services.imaging.geometry import Box, OutOfBounds, corners_box
from services.imaging.options import Options
from services.imaging.rasters import Matte, Photo
from services.imaging.values import WORDS

# Alpha above this is visible and belongs to the subject's box.
VISIBLE: Final = 10


def visible_box(alpha: Matte, threshold: int = VISIBLE) -> Box:
    """Return the bounding box of alpha above the threshold, by default of everything visible; empty where there is
    nothing.
    """
    rows, columns = (np.flatnonzero(alpha.max(axis=axis) > threshold) for axis in (1, 0))
    if not rows.size:
        return Box(0, 0, 0, 0)
    left, top = int(columns[0]), int(rows[0])
    return Box(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)


def region(photo: Photo, options: Options) -> Box:
    """Return the region of interest in px of the upright photo; the whole photo without `roi`.

    Raises `RegionOutOfBounds` where the region exceeds the image, and `BadOption` where it is empty.
    """
    if options.roi is None:
        return Box(0, 0, photo.width, photo.height)
    try:
        return corners_box(options.roi, photo.width, photo.height)
    except ValueError as exc:
        asked = " ".join(f"{length.value:g}{length.unit}" for length in options.roi)
        error = RegionOutOfBounds if isinstance(exc, OutOfBounds) else BadOption
        raise error("roi", asked, f"{WORDS['roi']}; {exc}") from exc


def part_of(photo: Photo, box: Box) -> Photo:
    """Return this part of the photo, as a view."""
    return Photo(photo.pixels[box.slices], None if photo.alpha is None else photo.alpha[box.slices])


def spread(matte: Matte, box: Box, photo: Photo) -> Matte:
    """Place a part's matte on the whole photo; everything outside is background."""
    if (box.width, box.height) == (photo.width, photo.height):
        return matte
    whole = np.zeros((photo.height, photo.width), dtype=np.uint8)
    whole[box.slices] = matte
    return whole
