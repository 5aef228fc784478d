"""Plans what of the photo is visible, and where on the canvas: crop, or scale and position, and the largest size.

Only numbers. One plan means at most one resampling, however many options ask for one.
"""

import math
from typing import Final, NamedTuple

from services.imaging.geometry import Box, Shares, margins
from services.imaging.options import Options, Shadow
from services.imaging.shadow import shadow_area

# Binary fractions fall short: 3000 px times two thirds are 2000.
HAIR: Final = 1e-6


class Layout(NamedTuple):
    """A canvas of `width` × `height` px, on which the photo's part `source` fills the part `target`."""

    width: int
    height: int
    source: Box
    target: Box

    @property
    def canvas(self) -> Box:
        return Box(0, 0, self.width, self.height)

    @property
    def resamples(self) -> bool:
        return self.source[2:] != self.target[2:]


def plan(width: int, height: int, subject: Box, shadow: Box | None, options: Options) -> Layout:
    """Return the layout of a photo of that size whose subject and shadow are in these boxes.

    `crop` wins over `scale` and `position`; without a subject none of them does anything.
    """
    photo = Box(0, 0, width, height)
    moves = options.scale is not None or options.position not in (None, "original")
    if subject.empty or not (options.crop or moves):
        return _window(photo, photo, options)
    if options.crop:
        return _window(_frame(subject, shadow, options), photo, options)
    return _moved(subject, photo, options)


def largest_canvas(width: int, height: int, options: Options) -> int:
    """Return the most pixels that a photo's canvas may have, whatever its subject; for admission."""
    if not options.crop:
        return width * height
    subject = Box(0, 0, width, height)
    shadow = None if options.shadow is Shadow.NONE else shadow_area(subject, options.shadow)
    frame = _frame(subject, shadow, options)
    return frame.width * frame.height


def fitted_size(width: int, height: int, options: Options) -> tuple[int, int]:
    """Return the (width, height) in px that fits into `max_width` × `max_height` and `max_pixels`.

    The aspect ratio is kept; nothing is enlarged.
    """
    scale = min(1.0, (options.max_width or width) / width, (options.max_height or height) / height)
    share = 1.0 if options.max_pixels is None else math.sqrt(options.max_pixels / (width * height))
    # Rounded down: one pixel more would be too many.
    if share < scale:
        return max(1, math.floor(width * share + HAIR)), max(1, math.floor(height * share + HAIR))
    if scale == 1.0:
        return width, height
    return max(1, round(width * scale)), max(1, round(height * scale))


def _frame(subject: Box, shadow: Box | None, options: Options) -> Box:
    """Return the crop around a subject: with its margin, and with its shadow where that reaches farther."""
    frame = subject if options.crop_margin is None else subject.grown(*margins(options.crop_margin, subject))
    return frame if shadow is None else frame.around(shadow)


def _window(frame: Box, photo: Box, options: Options) -> Layout:
    """Return the layout that shows this frame, which may reach beyond the photo."""
    width, height = fitted_size(frame.width, frame.height, options)
    source = frame.within(photo)
    across, down = width / frame.width, height / frame.height
    left, top = (
        min(width - 1, round((source.left - frame.left) * across)),
        min(height - 1, round((source.top - frame.top) * down)),
    )
    right, bottom = round((source.right - frame.left) * across), round((source.bottom - frame.top) * down)
    target = Box(left, top, max(1, right - left), max(1, bottom - top))
    return Layout(width, height, source, target)


def _moved(subject: Box, photo: Box, options: Options) -> Layout:
    """Return the layout of the subject alone, in another size or place; the canvas keeps the photo's shape."""
    width, height = fitted_size(photo.width, photo.height, options)
    zoom = width / photo.width
    if options.scale is not None:
        zoom = options.scale / 100 * min(width / subject.width, height / subject.height)
    new_width = min(width, max(1, round(subject.width * zoom)))
    new_height = min(height, max(1, round(subject.height * zoom)))
    x, y = _shares(subject, photo, options)
    left, top = round(x / 100 * (width - new_width)), round(y / 100 * (height - new_height))
    return Layout(width, height, subject, Box(left, top, new_width, new_height))


def _shares(subject: Box, photo: Box, options: Options) -> Shares:
    """Return how much of the free room, in per cent, is left of the subject, and how much above it."""
    if options.position == "original":
        across, down = photo.width - subject.width, photo.height - subject.height
        return (100 * subject.left / across if across else 50.0, 100 * subject.top / down if down else 50.0)
    return options.position or (50.0, 50.0)
