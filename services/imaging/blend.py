"""Moves, resizes and layers cut-outs, always weighted by their alpha."""

import math
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.imaging.layout import Layout
from services.imaging.rasters import Matte, Photo, Pixels
from services.imaging.values import Gradient

# Rows in a strip: the wide intermediates stay small.
STRIP_ROWS: Final = 128


def on_grey(photo: Photo) -> Pixels:
    """Return the photo as it looks on middle grey: pixels hidden under transparency are not part of it."""
    if photo.alpha is None:
        return photo.pixels
    cover = cv2.merge([photo.alpha] * 3)
    grey = cv2.convertScaleAbs(cv2.bitwise_not(cover), alpha=128 / 255)
    return np.asarray(cv2.add(cv2.multiply(photo.pixels, cover, scale=1 / 255), grey), dtype=np.uint8)


def place(pixels: Pixels, alpha: Matte, layout: Layout, *, keep_hidden: bool = False) -> tuple[Pixels, Matte]:
    """Return the canvas of a layout: pixels and alpha. Unchanged parts are not copied.

    Colours under alpha 0 are lost where there is resampling, unless `keep_hidden`.
    """
    part, part_alpha = pixels[layout.source.slices], alpha[layout.source.slices]
    if layout.resamples:
        part, part_alpha = resize_cutout(part, part_alpha, layout.target[2:], keep_hidden=keep_hidden)
    if layout.target == layout.canvas:
        return part, part_alpha
    whole = np.zeros((layout.height, layout.width, 3), dtype=np.uint8)
    whole[layout.target.slices] = part
    return whole, _on_canvas(part_alpha, layout)


def place_matte(alpha: Matte, layout: Layout) -> Matte:
    """Return the alpha of a layout's canvas, the same as `place` gives."""
    part = alpha[layout.source.slices]
    if layout.resamples:
        part = _eight_bits(_resize_weight(part, layout.target[2:]))
    return part if layout.target == layout.canvas else _on_canvas(part, layout)


def resize_cutout(
    pixels: Pixels, alpha: Matte, size: tuple[int, int], *, keep_hidden: bool = False
) -> tuple[Pixels, Matte]:
    """Resize premultiplied: the colour of transparent pixels does not bleed into the subject's edge.

    `size` is (width, height). Under alpha 0 colours become 0, or with `keep_hidden` the resized photo's.
    """
    premultiplied = cv2.multiply(pixels, cv2.merge([alpha, alpha, alpha]), dtype=cv2.CV_16U)
    small = resize(premultiplied, size)
    del premultiplied
    weight = _resize_weight(alpha, size)
    colours = np.empty((size[1], size[0], 3), dtype=np.uint8)
    for top in range(0, size[1], STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        share = cv2.merge([weight[rows]] * 3)
        colours[rows] = cv2.divide(small[rows], share, scale=255.0, dtype=cv2.CV_8U)  # 0 where the weight is 0
    new_alpha = _eight_bits(weight)
    if keep_hidden:
        colours = np.asarray(cv2.copyTo(colours, new_alpha, resize(pixels, size)), dtype=np.uint8)
    return colours, new_alpha


def resize(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Resize to `size` (width, height): by the mean of the covered pixels, or bicubic when enlarging."""
    grows = size[0] > array.shape[1] or size[1] > array.shape[0]
    return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA))


def cover(photo: Photo, size: tuple[int, int]) -> Photo:
    """Return the photo's middle, resized to fill `size` (width, height) with its aspect ratio kept."""
    scale = max(size[0] / photo.width, size[1] / photo.height)
    width = min(photo.width, max(1, round(size[0] / scale)))
    height = min(photo.height, max(1, round(size[1] / scale)))
    left, top = (photo.width - width) // 2, (photo.height - height) // 2
    part = (slice(top, top + height), slice(left, left + width))
    if (width, height) == size:
        return Photo(photo.pixels[part], None if photo.alpha is None else photo.alpha[part])
    if photo.alpha is None:
        return Photo(resize(photo.pixels[part], size))
    return Photo(*resize_cutout(photo.pixels[part], photo.alpha[part], size))


def gradient(size: tuple[int, int], colours: Gradient) -> Pixels:
    """Return a linear gradient of `size` (width, height), as CSS's `linear-gradient`: the corners have the colours."""
    angle = math.radians(colours.degrees)
    across, down = math.sin(angle), -math.cos(angle)
    length = abs(size[0] * across) + abs(size[1] * down)
    x = ((np.arange(size[0], dtype=np.float32) + 0.5 - size[0] / 2) * (across / length)).astype(np.float32)
    y = ((np.arange(size[1], dtype=np.float32) + 0.5 - size[1] / 2) * (down / length)).astype(np.float32)
    first, second = (np.array(colour[:3], dtype=np.float32) for colour in colours[1:])
    pixels = np.empty((size[1], size[0], 3), dtype=np.uint8)
    for top in range(0, size[1], STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        share = np.clip(y[rows, None, None] + x[None, :, None] + np.float32(0.5), 0, 1)
        pixels[rows] = np.rint(first + share * (second - first))
    return pixels


def over(pixels: Pixels, alpha: Matte, under: Pixels, under_alpha: Matte | None) -> tuple[Pixels, Matte | None]:
    """Composite a cut-out over another picture of its size (Porter and Duff's "over", 1984); alpha None is opaque.

    Where the cut-out is opaque, or nothing is under it, its pixels stay as they are.
    """
    result = np.empty(pixels.shape, dtype=np.uint8)
    result_alpha = None if under_alpha is None else np.empty(alpha.shape, dtype=np.uint8)
    for top in range(0, alpha.shape[0], STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        covers = np.ascontiguousarray(alpha[rows])
        below = np.full_like(covers, 255) if under_alpha is None else np.ascontiguousarray(under_alpha[rows])
        weight = covers.astype(np.float32) * 255
        rest = cv2.multiply(cv2.bitwise_not(covers), below, dtype=cv2.CV_32F)  # the lower picture's share, 0 to 255²
        # blendLinear divides by the sum of the weights: the result is not premultiplied.
        cv2.blendLinear(pixels[rows], np.ascontiguousarray(under[rows]), weight, rest, dst=result[rows])
        if result_alpha is not None:
            total = cv2.add(weight, rest)
            cv2.convertScaleAbs(total, dst=result_alpha[rows], alpha=1 / 255)
            cv2.copyTo(pixels[rows], (total == 0).view(np.uint8), result[rows])
    return result, result_alpha


def _resize_weight(alpha: Matte, size: tuple[int, int]) -> NDArray[np.uint16]:
    """Resize alpha with sixteen bits, 0 to 255²."""
    return resize(alpha.astype(np.uint16) * np.uint16(255), size)


def _eight_bits(weight: NDArray[np.uint16]) -> Matte:
    return np.asarray(cv2.convertScaleAbs(weight, alpha=1 / 255), dtype=np.uint8)


def _on_canvas(part: Matte, layout: Layout) -> Matte:
    whole = np.zeros((layout.height, layout.width), dtype=np.uint8)
    whole[layout.target.slices] = part
    return whole
