"""Reckons the memory that a removal needs."""

from services.imaging.encode import MEMORY
from services.imaging.layout import largest_canvas
from services.imaging.options import Options
from services.imaging.pipeline import Sources


def weight(sources: Sources, options: Options) -> float:
    """The most memory that a removal needs, in megapixels.

    It is the photo or, where a crop's margin or `canvas` makes it larger, the canvas, plus the background image; a
    format whose encoder needs more weighs more.
    """
    canvas = largest_canvas(sources.photo.width, sources.photo.height, options) / 1e6
    behind = sources.background.megapixels if sources.background else 0.0
    return (max(sources.photo.megapixels, canvas) + behind) * MEMORY.get(options.format, 1.0)
