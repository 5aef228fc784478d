"""Estimates the memory that a removal needs."""

from typing import Final

from services.imaging.encode import MEMORY
from services.imaging.layout import largest_canvas
from services.imaging.options import Options
from services.imaging.pipeline import Sources

# Of a frame's weight: its share of the result stays until the end.
RESULT: Final = 1 / 16


def weight(sources: Sources, options: Options) -> float:
    """The most memory that a removal needs, in megapixels.

    It is the photo or, where a crop's margin or `canvas` makes it larger, the canvas, plus the background image; a
    format whose encoder needs more weighs more. An animation has the screen that its frames are drawn on and the canvas
    before besides, and all of its result.
    """
    canvas = largest_canvas(sources.photo.width, sources.photo.height, options) / 1e6
    behind = sources.background.megapixels if sources.background else 0.0
    single = (max(sources.photo.megapixels, canvas) + behind) * MEMORY.get(options.format, 1.0)
    if sources.animation is None:
        return single
    return 2 * single + len(sources.animation.frames) * max(sources.photo.megapixels, canvas) * RESULT
