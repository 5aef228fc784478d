"""Finds a photo's matte in two steps: the model's mask, and the matte that follows from it."""

from typing import NamedTuple

import numpy as np

from services.capacity.deadline import Stopwatch
from services.imaging.confidence import SMEAR, confidence, confirmed, is_blank
from services.imaging.edges.refine import refine, smooth
from services.imaging.geometry import Box
from services.imaging.options import Options
from services.imaging.prompt import moved
from services.imaging.rasters import Mask, Matte, Photo
from services.imaging.region import part_of, region, spread
from services.imaging.segment import Segmenter, segment
from services.imaging.zoom import look_again


class Found(NamedTuple):
    """The model's mask of the photo's part `roi`, its certainty from 0 to 1, and whether its embedding was known."""

    mask: Mask
    roi: Box
    certainty: float
    embedded: bool | None


def find_mask(photo: Photo, options: Options, segmenter: Segmenter, watch: Stopwatch) -> Found:
    """Return the mask, at the model's resolution. Raises what `segment` does, and `RegionOutOfBounds`."""
    known: list[bool] = []
    with watch.step("segment"):
        roi = region(photo, options)
        part = part_of(photo, roi)
        prompt = moved(options.prompt, -roi.left, -roi.top)
        mask = segment(part, segmenter, watch.deadline, prompt, known.append)
        certainty = confidence(mask)
        if certainty < SMEAR and not photo.transparent and is_blank(part.pixels):
            # The model stretches its faint values to the whole range.
            mask = np.zeros_like(mask)
        looked = look_again(part, mask, segmenter, options, watch.deadline)
    return Found(looked.mask, roi, confirmed(certainty, looked.agreement), known[0] if known else None)


def refined_matte(mask: Mask, roi: Box, photo: Photo, options: Options, watch: Stopwatch) -> Matte:
    """Return the whole photo's matte from the mask of its part `roi`. Raises `DeadlineExceeded`."""
    with watch.step("refine"):
        matte = spread(refine(mask, part_of(photo, roi), options, watch.deadline), roi, photo)
        return smooth(matte, photo.alpha) if options.smooth else matte
