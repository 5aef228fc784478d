"""Checks options against each other and against the server's limits."""

from services.errors import BadOption, ConflictingOptions
from services.imaging.options import BACKGROUND_IMAGE, BACKGROUNDS, Options


def check_background(options: Options, background: bytes | None) -> None:
    """Raise `ConflictingOptions` where two of a background's colour, gradient, blur and image were given.

    An image takes the place of a preset's own background.
    """
    preset = Options.parse({"preset": options.preset})
    names = [name for name in BACKGROUNDS if getattr(options, name) not in (None, getattr(preset, name))]
    if background is not None:
        names.append(BACKGROUND_IMAGE)
    if len(names) > 1:
        raise ConflictingOptions(names[0], names[1])


def check_canvas(options: Options, max_pixels: int) -> None:
    """Raise `BadOption` where the canvas has more than `max_pixels`, the most that a photo may have."""
    canvas = options.canvas
    if canvas is not None and not canvas.ratio and canvas.width * canvas.height > max_pixels:
        asked, allowed = f"{canvas.width:g} {canvas.height:g}", f"at most {max_pixels} px in all"
        raise BadOption("canvas", asked, allowed, "Ask for a smaller canvas, or a ratio")
