"""Finds the matte where a caller does not know it: the unknown band of a trimap, as an editor's brush paints it."""

from typing import Final

import cv2
import numpy as np

from services.capacity.deadline import Deadline
from services.imaging.edges.grid import Tile
from services.imaging.edges.guided import PASSES, Beliefs, GridPhoto, Pass, follow, grip
from services.imaging.options import Edges
from services.imaging.rasters import Matte, Pixels

# The known surroundings of the unknown band that are looked at: a share of the band's longer side, and at least this.
MARGIN_SHARE: Final = 1 / 8
LEAST_MARGIN: Final = 32  # px
UNKNOWN: Final = 128


def fill_in(trimap: Matte, pixels: Pixels, edges: Edges, deadline: Deadline) -> Matte:
    """Return the trimap with its unknown pixels replaced by the alpha that the photo's colours suggest.

    0 and 255 are known and stay. 128 is unknown. Any other value is unknown as well, but a guess: it pulls the
    matte towards it; values nearer to 0 or 255 pull more. Raises `DeadlineExceeded`.
    """
    unknown = (trimap > 0) & (trimap < 255)
    if not unknown.any():
        return trimap
    left, top, width, height = cv2.boundingRect(unknown.astype(np.uint8))
    margin = max(LEAST_MARGIN, round(MARGIN_SHARE * max(width, height)))
    place = (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )
    matte = trimap.copy()
    part = np.ascontiguousarray(matte[place])
    for look in PASSES[edges]:
        part = _filled(trimap[place], part, np.ascontiguousarray(pixels[place]), look, deadline)
    matte[place] = part
    return matte


def _filled(trimap: Matte, matte: Matte, pixels: Pixels, look: Pass, deadline: Deadline) -> Matte:
    """Return the matte, guided by the photo where the trimap is unknown and begun from the matte so far."""
    photo = GridPhoto.about(pixels, look.side)
    unknown = (trimap > 0) & (trimap < 255)
    unsure = photo.cells.whole(photo.cells.holding(unknown.astype(np.uint8)))
    # In a cell that is known in part, colours decide the rest.
    guesses = grip(np.where(unknown, trimap, np.uint8(UNKNOWN)))
    weight = cv2.resize(guesses, photo.cells.size, interpolation=cv2.INTER_AREA) + np.float32(look.pull)
    beliefs = Beliefs(photo.cells.means(matte), unsure, np.asarray(weight, dtype=np.float32))
    found = follow(photo, beliefs, look.levels, lambda _alpha: _as_found, deadline)
    return np.where(unknown, found, trimap)


def _as_found(_tile: Tile, guided: Matte) -> Matte:
    return guided
