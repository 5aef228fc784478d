"""Draw subjects with an exact alpha: shapes are drawn at three times the size and averaged.

A hair of half a pixel's width thus has an alpha of one half.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray

DATA: Final = Path(skimage.__file__).parent / "data"
WIDTH, HEIGHT = 1600, 1200
SCALE: Final = 3
SEED: Final = 20261

Array = NDArray[Any]


@dataclass(frozen=True)
class Subject:
    """`colour` (height × width × 3) and `alpha` (height × width), both 0 to 1; colour is not premultiplied."""

    name: str
    colour: Array
    alpha: Array


class Drawing:
    """A transparent sheet for opaque shapes, drawn at `SCALE` times the size and averaged down."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self._colour = np.zeros((HEIGHT * SCALE, WIDTH * SCALE, 3), np.uint8)
        self._alpha = np.zeros((HEIGHT * SCALE, WIDTH * SCALE), np.uint8)

    def line(self, points: Array, colour: tuple[int, int, int], width: float) -> None:
        """Draw a polyline."""
        fine = np.rint(points * SCALE).astype(np.int32).reshape(-1, 1, 2)
        thick = max(1, round(width * SCALE))
        cv2.polylines(self._colour, [fine], False, colour, thick)
        cv2.polylines(self._alpha, [fine], False, 255, thick)

    def area(self, points: Array, fill: Array | tuple[int, int, int]) -> None:
        """Draw a polygon, filled with a colour or with its part of a picture of the sheet's size."""
        shape = np.zeros_like(self._alpha)
        cv2.fillPoly(shape, [np.rint(points * SCALE).astype(np.int32)], 255)
        if isinstance(fill, tuple):
            self._colour[shape > 0] = fill
        else:
            large = cv2.resize(fill, (WIDTH * SCALE, HEIGHT * SCALE), interpolation=cv2.INTER_LINEAR)
            self._colour[shape > 0] = large[shape > 0]
        self._alpha |= shape

    def hole(self, points: Array) -> None:
        """Cut a polygon out of everything drawn so far."""
        cv2.fillPoly(self._alpha, [np.rint(points * SCALE).astype(np.int32)], 0)

    def finish(self, name: str) -> Subject:
        """Return the drawing at its final size."""
        return _averaged(name, self._colour, self._alpha)


def _averaged(name: str, colour: Array, alpha: Array) -> Subject:
    weight = alpha.astype(np.float32) / 255
    weighed = cv2.resize(
        colour.astype(np.float32) / 255 * weight[..., None], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA
    )
    small = cv2.resize(weight, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return Subject(name, weighed / np.maximum(small, 1e-3)[..., None], small)


def photograph(name: str, width: int = WIDTH, height: int = HEIGHT) -> Array:
    """Return a photograph of scikit-image as RGB, cropped to the aspect ratio and resized."""
    image = np.asarray(cv2.imread(str(next(DATA.glob(f"{name}.*")))))[..., ::-1]
    tall, wide = image.shape[:2]
    scale = max(width / wide, height / tall)
    image = cv2.resize(image, (round(wide * scale) + 1, round(tall * scale) + 1), interpolation=cv2.INTER_CUBIC)
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def circle(x: float, y: float, rx: float, ry: float | None = None, turns: int = 180) -> Array:
    """Return the points of a circle or an ellipse."""
    angles = np.linspace(0, 2 * np.pi, turns)
    return np.stack([x + rx * np.cos(angles), y + (ry or rx) * np.sin(angles)], axis=1)


def strand(rng: np.random.Generator, start: Array, angle: float, length: float, curl: float) -> Array:
    """Return a line that leaves `start` at `angle` and bends at random."""
    steps = 14
    turns = angle + np.cumsum(rng.normal(0, curl, steps)) + np.linspace(0, rng.normal(0, 3 * curl), steps)
    moves = np.stack([np.cos(turns), np.sin(turns)], axis=1) * (length / steps)
    return np.concatenate([start[None], start + np.cumsum(moves, axis=0)])


def shade(rng: np.random.Generator, colour: tuple[int, int, int], spread: int) -> tuple[int, int, int]:
    """Return the colour, lighter or darker by up to `spread`."""
    shift = int(rng.integers(-spread, spread + 1))
    red, green, blue = (int(np.clip(v + shift, 0, 255)) for v in colour)
    return red, green, blue
