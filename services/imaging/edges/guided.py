"""Makes a matte that follows the photo: solves at a working size, then derives uncertain pixels' alpha from their
colours.

What is known of the matte comes from a model's mask (`refine.py`) or from a caller (`trimap.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from services.capacity.deadline import Deadline
from services.imaging.edges.grid import Cells, Tile, around
from services.imaging.edges.matting import Level, Problem, solve
from services.imaging.options import Edges
from services.imaging.rasters import Matte, Pixels, Plane

# Variance of colours, of full scale squared.
EPSILON: Final = 1e-6
# Removes a haze of one part in fifteen at both ends.
CONTRAST: Final = 1.15
# OpenCV's weights of red, green and blue in a grey: that conversion is the fastest weighted sum of three channels.
GREY: Final = np.array([0.299, 0.587, 0.114], np.float32)
# Cells around the unsure ones that are solved with them: a window's reach and that of its neighbours.
MARGIN: Final = 18
# How firmly the mask's own certainty keeps a pixel: small parts of the subject stay.
GRIP, GRIP_POWER = 0.2, 6


Keep = Callable[[Tile, Matte], Matte]
"""Returns a tile's guided matte, or what it should be instead."""


@dataclass(frozen=True)
class Pass:
    """One solution at about `side` px; `pull` binds an uncertain pixel to its previous alpha."""

    side: int
    levels: tuple[Level, ...]
    pull: float


# Found on the composites of benchmarks/quality.py; errors are flat around these figures. Much smaller windows converge
# too slowly to carry colours across the mask's uncertain band, and more rounds change nothing that can be measured.
REFINED: Final = Pass(400, (Level(3, 10, 6), Level(1, 4, 8)), 0.003)
# As good in a third of the time where `REFINED` would have up to 599 cells of one px: cells of two px, windows of the
# same px.
HALVED: Final = Pass(250, (Level(2, 10, 4), Level(1, 4, 4)), 0.003)
NARROWED: Final = Pass(1000, (Level(1, 8, 4),), 0.02)
PASSES: Final = {Edges.REFINED: (REFINED,), Edges.MATTING: (REFINED, NARROWED)}


def passes(edges: Edges, longer: int) -> tuple[Pass, ...]:
    """Return the solutions, one after the other, for the mask of a photo whose longer side has this many px."""
    first, *others = PASSES[edges]
    return (HALVED if REFINED.side < longer < 1.5 * REFINED.side else first, *others)


@dataclass(frozen=True)
class GridPhoto:
    """The photo's pixels, its grid, and each cell's mean colour (0 to 1)."""

    pixels: Pixels
    cells: Cells
    image: Plane

    @classmethod
    def about(cls, pixels: Pixels, side: int) -> Self:
        """Return the photo with about `side` cells along its longer side, each of whole pixels."""
        cells = Cells.about(pixels.shape[1], pixels.shape[0], side)
        return cls(pixels, cells, cells.means(pixels))


@dataclass(frozen=True)
class Beliefs:
    """What is known of a matte, one value a cell: its `alpha` (0 to 1), exact to the nearest of 0 and 1 except where it
    is `unsure`, and the `weight` by which it pulls there.
    """

    alpha: Plane
    unsure: NDArray[np.bool_]
    weight: Plane


def grip(known: NDArray[np.uint8]) -> Plane:
    """Return how firmly each value of a mask or matte is kept: 0 for one half, `GRIP` for certainty."""
    certainty = np.abs(np.arange(256, dtype=np.float32) / np.float32(127.5) - 1)
    table = np.asarray(GRIP * certainty**GRIP_POWER, dtype=np.float32)
    return np.asarray(cv2.LUT(known, table), dtype=np.float32)


def follow(
    photo: GridPhoto,
    beliefs: Beliefs,
    levels: Sequence[Level],
    trust: Callable[[Plane], Keep],
    deadline: Deadline,
) -> Matte:
    """Return the matte of the photo's size that follows its colours where beliefs are unsure; 0 or 255 elsewhere.

    `trust` gets the solved cells, 0 to 1, and returns what may take a tile's guided matte back. Raises
    `DeadlineExceeded`.
    """
    rough = np.where(beliefs.unsure, beliefs.alpha, (beliefs.alpha > 0.5).astype(np.float32))
    window = around(beliefs.unsure, MARGIN)
    problem = Problem(photo.image[window], rough[window], beliefs.weight[window], ~beliefs.unsure[window])
    alpha, colours = solve(problem, levels, EPSILON, deadline)
    deadline.check()
    model = np.zeros((*rough.shape, 4), np.float32)
    model[window] = np.dstack(colours.fit(alpha))
    rough[window] = alpha
    seen = np.clip(rough * np.float32(CONTRAST) - np.float32((CONTRAST - 1) / 2), 0, 1)
    return _apply(photo, model, rough, beliefs.unsure, trust(seen))


def _apply(
    photo: GridPhoto,
    model: NDArray[np.float32],
    alpha: Plane,
    unsure: NDArray[np.bool_],
    keep: Keep,
) -> Matte:
    """Return the matte at full size: sure cells as they are, others by their colour `model` (slopes for red, green and
    blue, and the offset), tile by tile.
    """
    cells = photo.cells
    sure = np.where(unsure | (alpha <= 0.5), np.uint8(0), np.uint8(255))
    matte = cells.filled(sure)
    # With a little more contrast around one half, 0 to 255.
    slopes = cells.pad(model[..., :3] * (np.float32(CONTRAST) / GREY))
    offset = cells.pad((model[..., 3] - np.float32(0.5)) * np.float32(255 * CONTRAST) + np.float32(127.5))
    for tile in cells.tiles(unsure):
        found = keep(tile, _by_colour(tile.grown(slopes), tile.grown(offset), photo.pixels[tile.pixels]))
        cv2.copyTo(found, tile.spread(tile.marked.view(np.uint8)), matte[tile.pixels])
    return matte


def _by_colour(slopes: Plane, offset: Plane, pixels: Pixels) -> Matte:
    """Return the alpha of each pixel from its colour: slopes · colour + offset; the slopes are divided by `GREY`."""
    weighed = cv2.cvtColor(cv2.multiply(slopes, pixels, dtype=cv2.CV_32F), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.add(weighed, offset, dtype=cv2.CV_8U), dtype=np.uint8)
