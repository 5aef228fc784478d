"""Looks again at a small subject: a second mask of its surroundings, which the model sees larger.

The two masks become one of finer resolution: for each pixel the more certain one decides. At the border of what was
looked at again the first one takes over gradually, so that no seam shows.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np

from services.capacity.deadline import Deadline
from services.imaging.geometry import Box
from services.imaging.options import Options
from services.imaging.rasters import Mask, Photo, Plane
from services.imaging.region import part_of, visible_box
from services.imaging.segment import Segmenter, segment
from services.imaging.values import Detail

# A subject whose box covers less of the photo is small.
SMALL: Final = 1 / 3
# A mask's value above which a pixel counts as subject for its box.
HALF: Final = 127
# Around the box, of its sides.
MARGIN: Final = 0.15
# The finer mask's sides, as multiples of the model's mask at most.
FINEST: Final = 4
# px of the photo; less shows the model nothing new.
LEAST_SIDE: Final = 32


class SecondLook(NamedTuple):
    """A mask, and how far a second look agrees with the first, from 0 to 1; 1 where there was none."""

    mask: Mask
    agreement: float


def look_again(photo: Photo, mask: Mask, segmenter: Segmenter, options: Options, deadline: Deadline) -> SecondLook:
    """Return the photo's mask with the details of a second look, where `options.detail` asks for one; else `mask`.

    Models that take a prompt look once: their prompt names the subject. Raises `DeadlineExceeded`.
    """
    if options.detail is Detail.OFF or segmenter.takes_prompt:
        return SecondLook(mask, 1.0)
    area = second_look(mask, photo, always=options.detail is Detail.ALWAYS)
    if area is None:
        return SecondLook(mask, 1.0)
    deadline.check()
    second = segment(part_of(photo, area), segmenter, deadline)
    return SecondLook(joined(mask, second, area, photo), agreement(mask, second, area, photo))


def second_look(mask: Mask, photo: Photo, *, always: bool) -> Box | None:
    """Return the part of the photo to look at again, in its px; None where a second look would not help."""
    box = visible_box(mask, HALF)
    if box.empty or (not always and box.width * box.height >= SMALL * mask.size):
        return None
    across, down = photo.width / mask.shape[1], photo.height / mask.shape[0]
    beside, above = MARGIN * box.width, MARGIN * box.height
    left, top = max(0, int((box.left - beside) * across)), max(0, int((box.top - above) * down))
    right = min(photo.width, int(np.ceil((box.left + box.width + beside) * across)))
    bottom = min(photo.height, int(np.ceil((box.top + box.height + above) * down)))
    area = Box(left, top, right - left, bottom - top)
    whole = (area.width, area.height) == (photo.width, photo.height)
    return None if whole or min(area.width, area.height) < LEAST_SIDE else area


def agreement(first: Mask, second: Mask, area: Box, photo: Photo) -> float:
    """Return the alpha that both masks have in the photo's `area`, as a share of the alpha that either has: 0 to 1."""
    columns = _part(area.left, area.width, first.shape[1] / photo.width, first.shape[1])
    rows = _part(area.top, area.height, first.shape[0] / photo.height, first.shape[0])
    before = first[rows, columns]
    after = cv2.resize(second, (before.shape[1], before.shape[0]), interpolation=cv2.INTER_AREA)
    either = int(np.maximum(before, after).sum(dtype=np.int64))
    return int(np.minimum(before, after).sum(dtype=np.int64)) / either if either else 1.0


def _part(start: int, length: int, scale: float, side: int) -> slice:
    """Return a part of the photo's side as a part of the mask's, one px at least."""
    first = min(round(start * scale), side - 1)
    return slice(first, max(first + 1, round((start + length) * scale)))


def joined(first: Mask, second: Mask, area: Box, photo: Photo) -> Mask:
    """Return one mask of the whole photo in which the more certain of `first` and `second` (of the photo's `area`)
    decides.

    It has the resolution of `second`, up to `FINEST` times that of `first` and up to the photo's.
    """
    width = _side(second.shape[1] * photo.width / area.width, first.shape[1], photo.width)
    height = _side(second.shape[0] * photo.height / area.height, first.shape[0], photo.height)
    whole = np.asarray(cv2.resize(first, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    left, right = (round(x * width / photo.width) for x in (area.left, area.left + area.width))
    top, bottom = (round(y * height / photo.height) for y in (area.top, area.top + area.height))
    place = (slice(top, bottom), slice(left, right))
    before = whole[place].astype(np.float32)
    after = np.asarray(cv2.resize(second, (right - left, bottom - top), interpolation=cv2.INTER_AREA), np.float32)
    surer = np.where(np.abs(after - 127.5) >= np.abs(before - 127.5), after, before)
    free = (left > 0, right < width, top > 0, bottom < height)
    weight = _fading((right - left, bottom - top), free)
    whole[place] = np.rint(before + (surer - before) * weight).astype(np.uint8)
    return whole


def _side(wanted: float, coarse: int, most: int) -> int:
    return max(coarse, min(round(wanted), FINEST * coarse, most))


def _fading(size: tuple[int, int], free: tuple[bool, bool, bool, bool]) -> Plane:
    """Return weights from 0 at the sides that are `free` (left, right, top, bottom; the others are the photo's own) to
    1 half a margin further in.
    """
    across, down = (
        _ramp(length, begins, ends) for length, begins, ends in zip(size, free[::2], free[1::2], strict=True)
    )
    return np.minimum(down[:, None], across[None, :])


def _ramp(length: int, begins: bool, ends: bool) -> Plane:
    # The margin is this part of a box with both of its margins.
    reach = max(1.0, length * MARGIN / (1 + 2 * MARGIN) / 2)
    place = (np.arange(length, dtype=np.float32) + 0.5) / np.float32(reach)
    from_start = place if begins else np.ones(length, np.float32)
    from_end = place[::-1] if ends else np.ones(length, np.float32)
    return np.asarray(np.clip(np.minimum(from_start, from_end), 0, 1), dtype=np.float32)
