"""Finds what changes from frame to frame, and counts time without drifting."""

from fractions import Fraction
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.imaging.compose import Canvas
from services.imaging.geometry import Box

HALF: Final = Fraction(1, 2)


class Changes:
    """The part of each canvas that differs from the one before: only that is written."""

    def __init__(self, multiple: int = 1) -> None:
        """Boxes begin at multiples of `multiple` px."""
        self._multiple = multiple
        self._before: Canvas | None = None

    def of(self, canvas: Canvas) -> Box:
        """Return the box around all changes; one pixel where nothing changed, and the whole of the first canvas."""
        before, self._before = self._before, canvas
        whole = Box(0, 0, canvas.width, canvas.height)
        if before is None:
            return whole
        changed = _differ(canvas.pixels, before.pixels)
        if canvas.alpha is not None and before.alpha is not None:
            # Colours of what nobody sees do not count.
            changed = np.where((canvas.alpha | before.alpha) > 0, changed, np.uint8(0))
            changed |= _differ(canvas.alpha, before.alpha)
        elif canvas.alpha is not before.alpha:
            return whole
        box = Box(*cv2.boundingRect(changed))
        if box.empty:
            return Box(0, 0, 1, 1)
        left, top = box.left - box.left % self._multiple, box.top - box.top % self._multiple
        return Box(left, top, box.right - left, box.bottom - top)


def part_of_canvas(canvas: Canvas, box: Box) -> Canvas:
    """Return this part of the canvas, as a view; its subject's box is not worked out."""
    alpha = None if canvas.alpha is None else np.ascontiguousarray(canvas.alpha[box.slices])
    return Canvas(np.ascontiguousarray(canvas.pixels[box.slices]), alpha, Box(0, 0, 0, 0))


class Ticks:
    """Turns durations into whole ticks: no frame ends more than half a tick early or late, however many there are."""

    def __init__(self, per_second: int, most: int) -> None:
        self._per_second, self._most = per_second, most
        self._wanted, self._ended = Fraction(), 0

    def of(self, duration: Fraction) -> int:
        """Return the ticks of the next frame; 0 only for 0, which players show for a time of their own."""
        self._wanted += duration * self._per_second
        ticks = max(int(self._wanted + HALF) - self._ended, 1 if duration else 0)
        self._ended += ticks
        return min(ticks, self._most)


def _differ(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    changed = one != other
    return np.asarray(changed.any(axis=2) if changed.ndim == 3 else changed, dtype=np.uint8)
