"""Resizes a photo for the model by Lanczos, in less than half of Pillow's time.

Each axis is a product with a banded matrix of weights, block by block: a block of output rows needs few input rows.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from services.imaging.rasters import Pixels

# Output px on either side that a pixel's weights reach, and output rows of a block: more would multiply by more zeros.
REACH: Final = 3
BLOCK: Final = 8
# Multiplications up to which OpenBLAS stays on the calling thread. Several threads would spend as much time again on
# waiting for each other.
ON_ONE_THREAD: Final = 250_000


class Block(NamedTuple):
    """Some output rows, the input rows that they need, and the weights of these, outputs × inputs."""

    outputs: slice
    inputs: slice
    weights: NDArray[np.float32]


def resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Return the photo with this (width, height), each pixel of Lanczos's weights (a = 3), widened where it shrinks.

    As in Pillow, rows come first, and values are rounded and clipped after each axis: the model's mask may depend on
    one level.
    """
    turned = _weighed(np.asarray(cv2.transpose(pixels)), size[0])
    return _weighed(np.asarray(cv2.transpose(turned)), size[1])


def _weighed(rows: Pixels, count: int) -> Pixels:
    """Return `count` rows, each a weighted mean of the given ones around its place."""
    flat = rows.reshape(len(rows), -1)
    found = np.empty((count, flat.shape[1]), np.uint8)
    for block in _blocks(len(rows), count):
        values = flat[block.inputs].astype(np.float32)
        sums = np.empty((len(block.weights), flat.shape[1]), np.float32)
        step = max(1, ON_ONE_THREAD // block.weights.size)
        for start in range(0, flat.shape[1], step):
            part = slice(start, start + step)
            np.matmul(block.weights, values[:, part], out=sums[:, part])
        np.maximum(sums, 0, out=sums)
        found[block.outputs] = cv2.convertScaleAbs(sums)
    return found.reshape(count, *rows.shape[1:])


@lru_cache(maxsize=16)
def _blocks(size: int, count: int) -> tuple[Block, ...]:
    """Return the blocks that make `count` rows of `size`."""
    scale = size / count
    widened = max(scale, 1.0)
    centres = (np.arange(count) + 0.5) * scale
    lowest = np.maximum(0, np.floor(centres - REACH * widened + 0.5)).astype(np.int64)
    highest = np.minimum(size, np.floor(centres + REACH * widened + 0.5)).astype(np.int64)
    places = lowest[:, None] + np.arange((highest - lowest).max())
    away = (places + 0.5 - centres[:, None]) / widened
    reached = (places < highest[:, None]) & (np.abs(away) < REACH)
    weights = np.where(reached, np.sinc(away) * np.sinc(away / REACH), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    blocks = []
    for start in range(0, count, BLOCK):
        outputs = slice(start, min(start + BLOCK, count))
        inputs = slice(int(lowest[start]), int(highest[outputs.stop - 1]))
        columns = places[outputs] - inputs.start
        dense = np.zeros((len(columns), columns.max() + 1), np.float32)
        np.put_along_axis(dense, columns, weights[outputs].astype(np.float32), axis=1)
        blocks.append(Block(outputs, inputs, np.ascontiguousarray(dense[:, : inputs.stop - inputs.start])))
    return tuple(blocks)
