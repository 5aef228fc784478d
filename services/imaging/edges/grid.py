"""A photo in square cells of whole pixels: steps compute one value a cell and spread it over the pixels.

Tiles without a marked cell are skipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from services.imaging.rasters import Plane

TILE: Final = 200  # px, about: a tile's side


def around(marked: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Return the rows and columns of the marked cells and of `margin` more to each side; all where none is marked.

    They start at even numbers: a grid of half the size then has the same cells as the whole picture's.
    """
    rows, columns = (np.flatnonzero(marked.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return slice(None), slice(None)
    top, left = (max(0, int(found[0]) - margin) // 2 * 2 for found in (rows, columns))
    return slice(top, int(rows[-1]) + 1 + margin), slice(left, int(columns[-1]) + 1 + margin)


@dataclass(frozen=True)
class Cells:
    """The grid over a picture of `width` × `height` px: whole cells of `side` px. A remainder at the right or bottom,
    less than a cell, belongs to the last one.
    """

    width: int
    height: int
    side: int

    @classmethod
    def about(cls, width: int, height: int, across: int) -> Self:
        """Return a grid of about `across` cells along the longer side."""
        return cls(width, height, max(1, min(round(max(width, height) / across), width, height)))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in cells."""
        return self.width // self.side, self.height // self.side

    def means(self, picture: NDArray[np.uint8]) -> Plane:
        """Return each cell's mean, 0 to 1."""
        return self._shrunk(picture, cv2.INTER_AREA)

    def samples(self, picture: NDArray[np.uint8]) -> Plane:
        """Return the middle of each cell, 0 to 1: enough where neighbours are averaged anyway, and much faster."""
        return self._shrunk(picture, cv2.INTER_LINEAR)

    def _shrunk(self, picture: NDArray[np.uint8], interpolation: int) -> Plane:
        wide, tall = self.size
        small = cv2.resize(picture[: tall * self.side, : wide * self.side], self.size, interpolation=interpolation)
        return small.astype(np.float32) * np.float32(1 / 255)

    def holding(self, mark: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which cells, cut-off ones at the right and bottom included, hold a pixel that is not 0."""
        tall, rest = divmod(self.height, self.side)
        rows = mark[: tall * self.side].reshape(tall, self.side, self.width).max(axis=1)
        if rest:
            rows = np.vstack([rows, mark[-rest:].max(axis=0)])
        wide = -(-self.width // self.side)
        whole = cv2.copyMakeBorder(rows, 0, 0, 0, wide * self.side - self.width, cv2.BORDER_CONSTANT, value=0)
        # A maximum along the last axis is ten times slower.
        columns = np.ascontiguousarray(whole.T)
        return np.asarray(columns.reshape(wide, self.side, -1).max(axis=1).T > 0)

    def filled(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture in which each whole cell, and what belongs to it, has its value."""
        columns, rows = (
            np.append(np.full(count - 1, self.side), length - (count - 1) * self.side)
            for count, length in zip(self.size, (self.width, self.height), strict=True)
        )
        return np.repeat(np.repeat(values, columns, axis=1), rows, axis=0)

    def whole(self, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the marks of whole cells; the mark of a cell that the edge cuts goes to its whole neighbour."""
        wide, tall = self.size
        kept = marked[:tall, :wide].copy()
        kept[-1] |= marked[tall:, :wide].any(axis=0)
        kept[:, -1] |= marked[:tall, wide:].any(axis=1)
        kept[-1, -1] |= marked[tall:, wide:].any()
        return kept

    def pad(self, values: Plane, place: tuple[slice, slice] = (slice(None), slice(None))) -> Plane:
        """Add the margin that `Tile.grown` needs to one value a cell; `values` may be those of the rows and columns of
        `place` alone, then the outermost ones stand for all beyond.
        """
        (wide, tall), (rows, columns) = self.size, place
        (top, bottom, _), (left, right, _) = rows.indices(tall), columns.indices(wide)
        margins = (top + 1, tall - bottom + 2, left + 1, wide - right + 2)
        return np.asarray(cv2.copyMakeBorder(values, *margins, cv2.BORDER_REPLICATE), dtype=np.float32)

    def tiles(self, marked: NDArray[np.bool_]) -> Iterator["Tile"]:
        """Yield every tile that holds a marked cell, no larger than the marked cells in it."""
        wide, tall = -(-self.width // self.side), -(-self.height // self.side)
        marked = np.pad(marked, ((0, tall - marked.shape[0]), (0, wide - marked.shape[1])), mode="edge")
        step = max(1, TILE // self.side)
        starts = np.arange(0, tall, step), np.arange(0, wide, step)
        holding = np.logical_or.reduceat(np.logical_or.reduceat(marked, starts[0], axis=0), starts[1], axis=1)
        for row, column in np.argwhere(holding).tolist():
            top, left = row * step, column * step
            part = marked[top : top + step, left : left + step]
            x, y, w, h = cv2.boundingRect(part.view(np.uint8))
            yield Tile(self, top + y, left + x, part[y : y + h, x : x + w])


@dataclass(frozen=True)
class Tile:
    """A block of cells: the first one's row and column, and the marked ones."""

    cells: Cells
    top: int
    left: int
    marked: NDArray[np.bool_]

    @cached_property
    def pixels(self) -> tuple[slice, slice]:
        """Return the tile's rows and columns of the picture."""
        side, (tall, wide) = self.cells.side, self.marked.shape
        return (
            slice(self.top * side, min((self.top + tall) * side, self.cells.height)),
            slice(self.left * side, min((self.left + wide) * side, self.cells.width)),
        )

    def grown(self, padded: Plane) -> Plane:
        """Return values of `Cells.pad`, bilinear between the cells' middles, one a pixel of the tile."""
        side, (tall, wide) = self.cells.side, self.marked.shape
        part = padded[self.top : self.top + tall + 2, self.left : self.left + wide + 2]
        large = cv2.resize(part, None, fx=side, fy=side, interpolation=cv2.INTER_LINEAR)
        rows, columns = self.pixels
        return large[side : side + rows.stop - rows.start, side : side + columns.stop - columns.start]  # type: ignore[return-value]

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Repeat one value a cell of the tile on each of its pixels."""
        rows, columns = self.pixels
        large = np.repeat(np.repeat(values, self.cells.side, axis=1), self.cells.side, axis=0)
        return large[: rows.stop - rows.start, : columns.stop - columns.start]
