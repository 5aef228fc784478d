"""Takes a guided matte back to the mask where the photo's colours do not explain the mask.

A guided matte is a linear function of colour in every window. Where subject and background have the same colours, no
such function gives the mask, and following colour would cost parts of the subject.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from services.imaging.edges.grid import Tile
from services.imaging.edges.guided import GridPhoto
from services.imaging.edges.matting import LocalColours
from services.imaging.rasters import Mask, Matte, Plane

SIDE: Final = 160  # px, the longer side at which colours are compared with the mask
RADIUS: Final = 6  # px of that size
EPSILON: Final = 1e-3  # variance of colours, of full scale squared
# Variance of the mask, of full scale squared: below it there is nothing to explain.
LEAST_VARIANCE: Final = 1e-4
# The unexplained share of the mask's variance from which the matte goes back to the mask: where the colours take alpha
# away, and where they add some. Hair that the mask lacks is added where little is explained.
LOSS_START, GAIN_START, SLOPE = 0.4, 0.7, 4.0
# The share from which the mask's near certainty bounds the matte, and how fast.
BOUND_START, BOUND_SLOPE = 0.15, 5.0
# How near to 1, and to 0, the mask must be to bound the matte: not yet at this distance, fully where it is certain.
SUBJECT_MARGIN, BACKGROUND_MARGIN = 0.5, 0.15
# An edge that only gets sharper, or moves by a pixel, takes as much alpha as it adds. A net loss, blurred by `AROUND`
# px of the mask, is a part of the subject that would be lost, a net gain a part of the background that would be taken
# for it. Both go back to the mask: from these shares of full scale on, where at least `NET_START` is unexplained.
AROUND: Final = 3.0
LEAST_LOSS, LEAST_GAIN, NET_SLOPE = 0.05, 0.1, 10.0
NET_START, NET_SHARE_SLOPE = 0.1, 5.0
# The mask's values between which losses begin to go back, and gains: a part of the subject was in the mask before,
# a part of the ground was not. Hair that the mask has seen may be gained.
SUBJECT_FROM, SUBJECT_FULLY = 0.3, 0.6
GROUND_FROM, GROUND_FULLY = 0.3, 0.1

_LEVELS: Final = np.linspace(0, 1, 256)
IN_SUBJECT: Final = np.clip((_LEVELS - SUBJECT_FROM) / (SUBJECT_FULLY - SUBJECT_FROM), 0, 1).astype(np.float32)
IN_GROUND: Final = np.clip((_LEVELS - GROUND_FROM) / (GROUND_FULLY - GROUND_FROM), 0, 1).astype(np.float32)


@dataclass(frozen=True)
class SoftMatte:
    """The matte without the photo's guidance: the model's mask, the same mask at the photo's size, and the mean of each
    of its cells, 0 to 1.
    """

    mask: Mask
    matte: Matte
    means: Plane


@dataclass(frozen=True)
class Guard:
    """The matte without the photo's guidance, and two planes of `Cells.pad`: the share of the mask that colours do not
    explain, and how far a change goes back, above 0 where the subject loses, below 0 where it gains.
    """

    soft: Matte
    unexplained: Plane
    net: Plane

    def keep(self, tile: Tile, guided: Matte) -> Matte:
        """Return the tile's guided matte, back at the mask and bounded by it as far as colours do not explain it."""
        tall, wide = tile.marked.shape
        place = (slice(tile.top, tile.top + tall + 2), slice(tile.left, tile.left + wide + 2))
        if float(self.unexplained[place].max()) <= min(BOUND_START, NET_START):
            return guided
        soft = self.soft[tile.pixels]
        mask = soft.astype(np.float32)
        near = _bounded(mask, guided.astype(np.float32), tile.grown(self.unexplained))
        if self.net[place].any():
            net = tile.grown(self.net)
            lost, gained = (cv2.threshold(net, 0, 0, kind)[1] for kind in (cv2.THRESH_TOZERO, cv2.THRESH_TOZERO_INV))
            back = cv2.multiply(lost, cv2.LUT(soft, IN_SUBJECT)) - cv2.multiply(gained, cv2.LUT(soft, IN_GROUND))
            near += back * (mask - near)
        return np.asarray(np.rint(near), dtype=np.uint8)


def _bounded(mask: Plane, near: Plane, share: Plane) -> Plane:
    """Take a guided matte back to the mask where little of it is explained, and bound it; in place. Both: 0 to 255."""
    if float(share.max()) > LOSS_START:
        back = mask - near
        earlier = cv2.threshold(back, 0, GAIN_START - LOSS_START, cv2.THRESH_BINARY)[1]
        near += _ramp(cv2.add(share, earlier) - np.float32(GAIN_START), SLOPE) * back
    if float(share.max()) > BOUND_START:
        lowest, highest = bounds(mask)
        bounded = cv2.min(cv2.max(near, lowest), highest)
        near += _ramp(share - np.float32(BOUND_START), BOUND_SLOPE) * (bounded - near)
    return near


def bounds(mask: Plane) -> tuple[Plane, Plane]:
    """Return the least and the most that a mask (0 to 255) allows a matte; below 0 and above 255 it allows anything."""
    lowest = (mask - np.float32(255 * (1 - SUBJECT_MARGIN))) * np.float32(1 / SUBJECT_MARGIN)
    return np.rint(lowest), np.rint(mask * np.float32(1 / BACKGROUND_MARGIN))


def _ramp(beyond: Plane, slope: float) -> Plane:
    """Return `beyond · slope` between 0 and 1, in place."""
    beyond *= np.float32(slope)
    return np.clip(beyond, 0, 1, out=beyond)


def guard(soft: SoftMatte, photo: GridPhoto, alpha: Plane) -> Guard:
    """Return the guard of a mask's guided matte. `alpha`: the guided matte's cells, 0 to 1."""
    cells = photo.cells
    share = np.asarray(
        cv2.resize(unexplained(soft.mask, photo.image), cells.size, interpolation=cv2.INTER_LINEAR), dtype=np.float32
    )
    before = np.rint(soft.means * np.float32(255))
    after = _bounded(before, alpha * np.float32(255), share)
    change = np.asarray((after - before) / np.float32(255), dtype=np.float32)
    sigma = max(1.0, AROUND * max(cells.size) / max(soft.mask.shape))
    change = np.asarray(cv2.GaussianBlur(change, (0, 0), sigma), dtype=np.float32)
    lost, gained = (
        _ramp(np.asarray(part, dtype=np.float32), NET_SLOPE) for part in (-change - LEAST_LOSS, change - LEAST_GAIN)
    )
    net = (lost - gained) * _ramp(share - np.float32(NET_START), NET_SHARE_SLOPE)
    return Guard(soft.matte, cells.pad(share), cells.pad(net))


def unexplained(mask: Mask, image: Plane) -> Plane:
    """Return the share of the mask's variance around each pixel that no linear function of the colours there gives.

    0 at an edge that the photo has too, 1 where colours say nothing about the mask; at most `SIDE` px wide and high.
    """
    height, width = image.shape[:2]
    scale = min(1.0, SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    seen = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    alpha = cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.float32) * np.float32(1 / 255)
    explained, variance = LocalColours(seen, RADIUS, EPSILON).explained(alpha)
    return np.asarray(np.clip(1 - explained / (variance + np.float32(LEAST_VARIANCE)), 0, 1), dtype=np.float32)
