"""Checks options against each other and against the server's limits."""

from services.containers.animation import Animation
from services.errors import BadOption, ConflictingOptions
from services.imaging.animation.writer import check_format
from services.imaging.decode import FrameLimits
from services.imaging.errors import TooManyFrames, TooManyPixels
from services.imaging.layout import largest_canvas
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


def check_animation(animation: Animation, options: Options, limits: FrameLimits) -> None:
    """Raise `BadOption` where the result's format has no animations, `TooManyFrames`, and `TooManyPixels` where all
    frames together have more pixels than allowed, as they came or on the canvas that the options ask for.
    """
    check_format(options)
    count, most = len(animation.frames), max(limits.most, limits.as_job)
    if count > limits.most:
        found = f"it has {count}" if count <= most else f"it has more than {most}"
        if limits.as_job <= limits.most:
            raise TooManyFrames(f"{found}; allowed: {most}")
        raise TooManyFrames(
            f"{found}; allowed: {limits.most} in a request, {limits.as_job} as a job",
            "Send it as a job: POST /api/jobs/remove-bg takes the same options",
        )
    width, height = animation.head.width, animation.head.height
    pixels = count * max(width * height, largest_canvas(width, height, options))
    if pixels > limits.pixels:
        raise TooManyPixels(
            f"its {count} frames have {pixels} pixels together; allowed: {limits.pixels}",
            "Make the animation smaller or shorter",
        )
