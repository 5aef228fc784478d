"""Makes the background behind a subject from the photo itself: the photo without its subject, blurred.

The subject's place is filled from its surroundings before the blur, by means over ever wider cells (pull and push:
Gortler et al., "The Lumigraph", 1996). So no colour of the subject runs into the background as a halo. A blurred
picture is made small, where its blur costs little, and enlarged.
"""

import math
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.imaging.blend import over, resize, resize_cutout
from services.imaging.geometry import Box, mapped
from services.imaging.layout import Layout
from services.imaging.rasters import Matte, Photo, Plane

# The Gaussian's sigma at 100, of the photo's longer side.
BLUR: Final = 0.05
# px of the small picture; a blur of this sigma loses nothing when it is enlarged.
SMALL_SIGMA: Final = 4.0
# Bounds of the small picture where the blur is weak.
WORK_PIXELS, WORK_SIDE = 1 << 21, 16384
# Width of the rim around the subject, as a share of the photo's longer side: its pixels often have the subject's light.
RIM: Final = 0.004
# A cell's colour counts as known where this share of it is.
KNOWN_SHARE: Final = 0.25
TINY: Final = np.float32(1e-6)


def blurred_ground(photo: Photo, matte: Matte, blur: float) -> Photo | None:
    """Return the photo without the subject that `matte` shows, blurred by 0 to 100; often smaller than the photo.

    0 only fills the subject's place. A photo that is subject everywhere is blurred as it is. Returns None where all
    that is not subject is transparent in the photo itself.
    """
    free = np.asarray(cv2.bitwise_not(matte), dtype=np.uint8)
    bare = free if photo.alpha is None else np.asarray(cv2.subtract(photo.alpha, matte), dtype=np.uint8)
    colours, share = resize_cutout(photo.pixels, bare, _work_size(photo))
    if not share.any():
        return None if photo.transparent else blurred_ground(Photo(photo.pixels), np.zeros_like(matte), blur)
    size, sigma = _small(photo, colours.shape[1], blur)
    colours, known = resize_cutout(colours, _certain(share, resize(free, _work_size(photo))), size)
    weight = _share(known)
    filled = _blurred(_filled(colours * weight[..., None], weight), sigma)
    alpha = None
    if photo.transparent:
        # What is not subject has the photo's own transparency; the subject's place has that of its surroundings.
        ground = resize(share, size)[..., None].astype(np.float32)
        alpha = _blurred(_filled(ground, _share(resize(free, size))), sigma)
    if blur:
        return Photo(filled, alpha)
    whole = (photo.width, photo.height)
    sharp, _ = over(photo.pixels, bare, resize(filled, whole), None)
    return Photo(sharp, None if alpha is None else resize(alpha, whole))


def ground_on_canvas(ground: Photo, photo: Box, layout: Layout) -> Photo:
    """Return the part of a ground that a canvas shows, in the canvas's size.

    `photo` is the whole photo's box in its own px. The ground lies where the photo lies if that covers the canvas, and
    otherwise covers the canvas from the middle.
    """
    area = mapped(photo, layout.source, layout.target)
    if area.within(layout.canvas) != layout.canvas:
        area = _covering(photo, layout.canvas)
    if area.width < ground.width and area.height < ground.height:
        # Each pixel is the mean of those that it covers.
        ground = _each(ground, lambda plane: resize(plane, area[2:]))
    part = layout.canvas.moved(-area.left, -area.top)
    if area[2:] == (ground.width, ground.height):
        return _each(ground, lambda plane: plane[part.slices])
    return _each(ground, lambda plane: _enlarged(plane, part, area))


def _work_size(photo: Photo) -> tuple[int, int]:
    """Return the (width, height) in which the subject is taken out."""
    step = max(
        1.0,
        math.sqrt(photo.width * photo.height / WORK_PIXELS),
        max(photo.width, photo.height) / WORK_SIDE,
    )
    return _shrunk(photo, step)


def _small(photo: Photo, work_width: int, blur: float) -> tuple[tuple[int, int], float]:
    """Return the (width, height) in which the ground is blurred, and the blur's sigma in its px."""
    sigma = BLUR * blur / 100 * max(photo.width, photo.height)
    step = max(photo.width / work_width, sigma / SMALL_SIGMA)
    return _shrunk(photo, step), sigma / step


def _shrunk(photo: Photo, step: float) -> tuple[int, int]:
    return max(1, round(photo.width / step)), max(1, round(photo.height / step))


def _certain(share: Matte, free: Matte) -> Matte:
    """Return the share of each pixel's ground, less where the subject is near: 0 where it covers a quarter."""
    rim = round(RIM * max(share.shape))
    far = cv2.erode(free, np.ones((2 * rim + 1, 2 * rim + 1), dtype=np.uint8))
    certain = cv2.multiply(share, cv2.addWeighted(far, 4, far, 0, -3 * 255), scale=1 / 255)
    return np.asarray(certain if certain.any() else share, dtype=np.uint8)


def _share(plane: NDArray[np.uint8]) -> Plane:
    return np.asarray(plane, dtype=np.float32) / np.float32(255)


def _filled(total: Plane, weight: Plane) -> Plane:
    """Return a picture that has the given colours where their weight is 1, and those of their surroundings elsewhere.

    `total` is height × width × channels, multiplied by `weight` (height × width, 0 to 1).
    """
    levels = [(total, weight)]
    while max(weight.shape) > 1:
        size = ((weight.shape[1] + 1) // 2, (weight.shape[0] + 1) // 2)
        total, share = (np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA), np.float32) for p in levels[-1])
        weight = np.minimum(share / np.float32(KNOWN_SHARE), np.float32(1))
        levels.append((total.reshape(*weight.shape, -1) * (weight / (share + TINY))[..., None], weight))
    total, weight = levels.pop()
    filled = np.asarray(total / np.maximum(weight, TINY)[..., None], dtype=np.float32)
    for total, weight in reversed(levels):
        wider = cv2.resize(filled, weight.shape[::-1], interpolation=cv2.INTER_LINEAR).reshape(total.shape)
        filled = np.asarray(total + (1 - weight)[..., None] * wider, dtype=np.float32)
    return filled


def _blurred(picture: Plane, sigma: float) -> NDArray[np.uint8]:
    if sigma:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), dtype=np.float32)
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def _covering(photo: Box, canvas: Box) -> Box:
    """Return the photo's box where it covers the canvas from its middle, its aspect ratio kept."""
    scale = max(canvas.width / photo.width, canvas.height / photo.height)
    width, height = (max(side, round(own * scale)) for side, own in zip(canvas[2:], photo[2:], strict=True))
    return Box((canvas.width - width) // 2, (canvas.height - height) // 2, width, height)


def _each(photo: Photo, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Photo:
    return Photo(change(photo.pixels), None if photo.alpha is None else change(photo.alpha))


def _enlarged(plane: NDArray[np.uint8], part: Box, area: Box) -> NDArray[np.uint8]:
    """Return this part of a plane that fills `area`, which has more px than the plane."""
    across, down = plane.shape[1] / area.width, plane.shape[0] / area.height
    # Only what is visible: each pixel's centre is looked up in it.
    left, top = math.floor(part.left * across), math.floor(part.top * down)
    right, bottom = math.ceil(part.right * across), math.ceil(part.bottom * down)
    seen = plane[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1]
    x = (part.left + 0.5) * across - 0.5 - max(0, left - 1)
    y = (part.top + 0.5) * down - 0.5 - max(0, top - 1)
    lookup = np.array([[across, 0, x], [0, down, y]], dtype=np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(seen, lookup, part[2:], flags=flags, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8
    )
