"""Compute the brush's bytes as its definition says, pixel by pixel, to compare the page's brush with."""

import math
from collections.abc import Sequence
from typing import NamedTuple

STEPS = 1024


class Brush(NamedTuple):
    """A round brush: target level 0 or 255, diameter in px, hardness and opacity 0..1."""

    target: int
    size: float
    hardness: float
    opacity: float


class Point(NamedTuple):
    """A point in px, with a pen's factors of size and opacity."""

    x: float
    y: float
    size: float = 1.0
    opacity: float = 1.0


def product(a: int, b: int) -> int:
    """Return round(a·b / 255)."""
    return (2 * a * b + 255) // 510


def falloff(step: int) -> int:
    """Return the level of one of 1024 steps from the inner to the outer edge."""
    t = (step + 0.5) / STEPS
    return math.floor(255 * (1 - t * t * (3 - 2 * t)) + 0.5)


def level(x: int, y: int, a: Point, b: Point, brush: Brush) -> int:
    """Return the stroke's level at a pixel for one capsule from `a` to `b`."""
    px, py = x + 0.5 - a.x, y + 0.5 - a.y
    dx, dy = b.x - a.x, b.y - a.y
    square, along = dx * dx + dy * dy, px * dx + py * dy
    even = (a.size, a.opacity) == (b.size, b.opacity)
    # The end itself is measured from the end, so that the next capsule's start gives the same distance.
    t = 1.0 if along >= square else max(0.0, along / square)
    ex, ey = (x + 0.5 - b.x, y + 0.5 - b.y) if t == 1 else (px - t * dx, py - t * dy)
    radius = brush.size / 2 * (a.size + (b.size - a.size) * t)
    inner, outer = max(0.0, brush.hardness * (radius - 0.5)), radius + 0.5
    far = math.sqrt(ex * ex + ey * ey)
    # One scale for a capsule of one size, as the page computes it.
    step = int(max(0.0, (far - inner) * (STEPS / (outer - inner)) if even else (far - inner) / (outer - inner) * STEPS))
    alpha = math.floor(255 * brush.opacity * (a.opacity + (b.opacity - a.opacity) * t) + 0.5)
    return 0 if step >= STEPS else product(falloff(step), alpha)


def painted(mask: bytes, width: int, points: Sequence[Point], brush: Brush) -> bytes:
    """Return the mask's bytes after a stroke along the points."""
    out = bytearray(mask)
    path = list(points)
    ends = list(zip(path[:1] + path, path, strict=False))
    for i, old in enumerate(mask):
        stroke = max(level(i % width, i // width, a, b, brush) for a, b in ends)
        out[i] = old - product(old, stroke) if brush.target < 128 else old + product(255 - old, stroke)
    return bytes(out)
