"""Regions of a photo: where a subject is looked for (`roi`), and where it was found."""

from typing import Final

import cv2
import numpy as np

from services.errors import BadOption
from services.imaging.errors import RegionOutOfBounds
from services.imaging.geometry import Box, OutOfBounds, corners_box
from services.imaging.options import WORDS, Options
from services.imaging.rasters import Matte, Photo

# Alpha above this belongs to the subject's box; what is fainter, nobody sees.
VISIBLE: Final = 10


def visible_box(alpha: Matte, threshold: int = VISIBLE) -> Box:
    """The bounding box of what is above the threshold: by default, of what can be seen. Empty where nothing is."""
    return Box(*cv2.boundingRect(cv2.threshold(alpha, threshold, 255, cv2.THRESH_BINARY)[1]))


def region(photo: Photo, options: Options) -> Box:
    """Where to look, in px of the upright photo; all of it without `roi`.

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
    """This part of the photo, as a view."""
    return Photo(photo.pixels[box.slices], None if photo.alpha is None else photo.alpha[box.slices])


def spread(matte: Matte, box: Box, photo: Photo) -> Matte:
    """A part's matte on the whole photo: what lies outside is background."""
    if (box.width, box.height) == (photo.width, photo.height):
        return matte
    whole = np.zeros((photo.height, photo.width), dtype=np.uint8)
    whole[box.slices] = matte
    return whole
