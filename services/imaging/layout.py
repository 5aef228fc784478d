"""Plans which part of the photo is visible, and where on the canvas: crop, or scale and position, and the canvas's
size.

Only numbers. One plan means at most one resampling, however many options ask for one.
"""

import math
from typing import Final, NamedTuple

from services.imaging.geometry import Box, Shares, margins
from services.imaging.options import Options, Shadow
from services.imaging.shadow import shadow_area
from services.imaging.values import CanvasSize, Enlarge

# A canvas of another aspect ratio has at most this many times the photo's pixels, as one with a crop's margin.
RATIO_GROWTH: Final = 4
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

    `crop` wins over `scale`, and without a `canvas` over `position`; without a subject none of them does anything.
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
    frame = photo = Box(0, 0, width, height)
    if options.crop:
        shadow = None if options.shadow is Shadow.NONE else shadow_area(photo, options.shadow)
        frame = _frame(photo, shadow, options)
    across, down = _canvas_size(frame, photo, options.canvas)
    return across * down


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


def _canvas_size(frame: Box, photo: Box, canvas: CanvasSize | None) -> tuple[int, int]:
    """Return the canvas's (width, height) in px for what it has to show, before `max_width` and similar limits.

    A ratio's canvas is the smallest that holds the frame, but of no more than `RATIO_GROWTH` times the photo's pixels.
    """
    if canvas is None:
        return frame.width, frame.height
    if not canvas.ratio:
        return int(canvas.width), int(canvas.height)
    ratio = canvas.width / canvas.height
    width, height = max(float(frame.width), frame.height * ratio), max(float(frame.height), frame.width / ratio)
    shrink = min(1.0, math.sqrt(RATIO_GROWTH * photo.width * photo.height / (width * height)))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def _window(frame: Box, photo: Box, options: Options) -> Layout:
    """Return the layout that shows this frame, which may reach beyond the photo."""
    full = _canvas_size(frame, photo, options.canvas)
    width, height = fitted_size(*full, options)
    place = Box(0, 0, width, height)
    if options.canvas is not None:
        zoom = _zoom(min(width / frame.width, height / frame.height), width / full[0], options)
        place = _placed(frame, zoom, place, _shares(frame, photo, options))
    source = frame.within(photo)
    across, down = place.width / frame.width, place.height / frame.height
    left, top = (
        min(place.width - 1, round((source.left - frame.left) * across)),
        min(place.height - 1, round((source.top - frame.top) * down)),
    )
    right, bottom = round((source.right - frame.left) * across), round((source.bottom - frame.top) * down)
    target = Box(left, top, max(1, right - left), max(1, bottom - top))
    return Layout(width, height, source, target.moved(place.left, place.top))


def _moved(subject: Box, photo: Box, options: Options) -> Layout:
    """Return the layout of the subject alone, in another size or place; the canvas keeps the photo's shape."""
    full = _canvas_size(photo, photo, options.canvas)
    width, height = fitted_size(*full, options)
    shrink = width / full[0]
    zoom = shrink
    if options.scale is not None:
        zoom = _zoom(options.scale / 100 * min(width / subject.width, height / subject.height), shrink, options)
    elif options.canvas is not None:
        zoom = _zoom(min(width / photo.width, height / photo.height), shrink, options)
    target = _placed(subject, zoom, Box(0, 0, width, height), _shares(subject, photo, options))
    return Layout(width, height, subject, target)


def _zoom(wanted: float, shrink: float, options: Options) -> float:
    """Return the px of the canvas for one of the photo, on a canvas that `max_width` and similar limits shrink."""
    return min(wanted, shrink) if options.enlarge is Enlarge.NEVER else wanted


def _placed(frame: Box, zoom: float, canvas: Box, shares: Shares) -> Box:
    """Return the frame's place on the canvas, with these shares of the free space left of it and above it."""
    width = min(canvas.width, max(1, round(frame.width * zoom)))
    height = min(canvas.height, max(1, round(frame.height * zoom)))
    x, y = shares
    return Box(round(x / 100 * (canvas.width - width)), round(y / 100 * (canvas.height - height)), width, height)


def _shares(frame: Box, photo: Box, options: Options) -> Shares:
    """Return how much of the free space, in per cent, is left of the frame, and how much above it."""
    if options.position == "original":
        across, down = photo.width - frame.width, photo.height - frame.height
        return (
            min(100.0, max(0.0, 100 * frame.left / across)) if across > 0 else 50.0,
            min(100.0, max(0.0, 100 * frame.top / down)) if down > 0 else 50.0,
        )
    return options.position or (50.0, 50.0)
