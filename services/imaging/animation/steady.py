"""Steadies the masks of neighbouring frames: where a picture hardly changed, its mask must not flicker.

Each pixel of a mask becomes the mean of its own value and those of up to `REACH` frames to either side, weighted by how
little the picture around it differs between the two frames. Where something moves the weight is 0: nothing smears.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Final, NamedTuple

import cv2
import numpy as np

from services.imaging.rasters import Mask, Photo, Pixels, Plane

# Frames to either side.
REACH: Final = 3
# A difference of the pictures, in levels, of which the weight is 0.6; at three times it is 0.01.
TOLERANCE: Final = 8.0
# px of the mask around a pixel within which the largest difference counts: a subject's edge is soft.
AROUND: Final = 7
# px; noise of single pixels, such as a dithered GIF's, is no movement.
NOISE: Final = 5


class Look(NamedTuple):
    """A frame's mask, and its picture in the mask's size."""

    mask: Mask
    picture: Pixels


def look_of(mask: Mask, photo: Photo) -> Look:
    """Return the mask with the picture that belongs to it."""
    size = (mask.shape[1], mask.shape[0])
    small = np.asarray(cv2.resize(photo.pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if photo.alpha is not None:
        # What becomes transparent changes as well.
        seen = cv2.resize(photo.alpha, size, interpolation=cv2.INTER_AREA)
        small = np.asarray(cv2.multiply(small, cv2.merge([seen] * 3), scale=1 / 255), dtype=np.uint8)
    return Look(mask, np.asarray(cv2.blur(small, (NOISE, NOISE)), dtype=np.uint8))


def steadied(looks: Iterable[Look]) -> Iterator[Mask]:
    """Yield the masks in their order, each steadied by its neighbours; `REACH` frames behind what was taken."""
    window: deque[Look | None] = deque(repeat(None, 2 * REACH), maxlen=2 * REACH + 1)
    for look in chain(looks, repeat(None, REACH)):
        window.append(look)
        if (own := window[REACH]) is not None:
            yield _mean(own, [other for other in window if other is not None and other is not own])


def _mean(own: Look, others: list[Look]) -> Mask:
    total = own.mask.astype(np.float32)
    weights = np.ones(own.mask.shape, dtype=np.float32)
    size = (own.mask.shape[1], own.mask.shape[0])
    for other in others:
        # A second look at a small subject gives masks of other sizes.
        if other.mask.shape != own.mask.shape:
            other = Look(*(np.asarray(cv2.resize(array, size), dtype=np.uint8) for array in other))
        weight = _sameness(own.picture, other.picture)
        total += weight * other.mask
        weights += weight
    return np.asarray(np.rint(total / weights), dtype=np.uint8)


def _sameness(one: Pixels, other: Pixels) -> Plane:
    """Return 1 where two pictures are the same, to 0 where they differ."""
    difference = cv2.absdiff(one, other).max(axis=2)
    near = cv2.dilate(difference, np.ones((AROUND, AROUND), np.uint8))
    levels = np.arange(256, dtype=np.float32)
    table = np.exp(-np.square(levels / np.float32(TOLERANCE)) / 2).astype(np.float32)
    return np.asarray(table[near], dtype=np.float32)
