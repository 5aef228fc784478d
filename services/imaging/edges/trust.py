"""Takes a guided matte back to the mask where the photo's colours do not explain the mask.

A guided matte is a linear function of colour in every window. Where subject and background have the same colours, no
such function gives the mask, and following colour would cost parts of the subject.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from services.imaging.edges.grid import Cells, Tile
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
# How near to 0 or 1 the mask must be to bound the matte: not yet at this distance, fully where it is certain.
MARGIN: Final = 0.15

_LEVELS: Final = np.linspace(0, 1, 256)
LOWEST: Final = np.rint(np.clip((_LEVELS - (1 - MARGIN)) / MARGIN, 0, 1) * 255).astype(np.float32)
HIGHEST: Final = np.rint(np.clip(_LEVELS / MARGIN, 0, 1) * 255).astype(np.float32)


@dataclass(frozen=True)
class Guard:
    """The matte without the photo's guidance, and the share of the mask that colours do not explain (`Cells.pad`)."""

    soft: Matte
    unexplained: Plane

    def keep(self, tile: Tile, guided: Matte) -> Matte:
        """Return the tile's guided matte, back at the mask and bounded by it as far as colours do not explain it."""
        tall, wide = tile.marked.shape
        cells = self.unexplained[tile.top : tile.top + tall + 2, tile.left : tile.left + wide + 2]
        most = float(cells.max())
        if most <= BOUND_START:
            return guided
        soft, share = self.soft[tile.pixels], tile.grown(self.unexplained)
        near = guided.astype(np.float32)
        if most > LOSS_START:
            # OpenCV takes a second array of four rows and one column for a scalar.
            back = np.subtract(soft, guided, dtype=np.float32)
            start = np.where(back > 0, np.float32(LOSS_START), np.float32(GAIN_START))
            near += _ramp(share - start, SLOPE) * back
        bounded = np.minimum(np.maximum(near, LOWEST[soft]), HIGHEST[soft])
        near += _ramp(share - np.float32(BOUND_START), BOUND_SLOPE) * (bounded - near)
        return np.asarray(np.rint(near), dtype=np.uint8)


def _ramp(beyond: Plane, slope: float) -> Plane:
    """Return `beyond · slope` between 0 and 1, in place."""
    beyond *= np.float32(slope)
    return np.clip(beyond, 0, 1, out=beyond)


def guard(mask: Mask, soft: Matte, image: Plane, cells: Cells) -> Guard:
    """Return the guard of a mask's guided matte. `image`: the photo's cells, 0 to 1."""
    share = cv2.resize(unexplained(mask, image), cells.size, interpolation=cv2.INTER_LINEAR)
    return Guard(soft, cells.pad(np.asarray(share, dtype=np.float32)))


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
