"""Photo and matte become a canvas: what will be seen, in its final size. Order: resize, then background."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.decode import Matte, Photo, Pixels
from services.options import Colour, Format, Options, Output

WHITE: Final[Colour] = (255, 255, 255, 255)
STRIP_ROWS: Final = 128  # blending works on strips, so that its wide intermediates stay small


@dataclass(frozen=True)
class Canvas:
    """A picture to encode: `pixels` is height × width × 3 (RGB) or height × width (grey); `alpha` None is opaque.

    What lies under alpha 0 is still the photo's; encoders write it as 0 (PNG) or drop it (WebP).
    """

    pixels: NDArray[np.uint8]
    alpha: Matte | None

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


def compose(photo: Photo, matte: Matte, options: Options) -> Canvas:
    """The canvas that the options ask for.

    A cut-out keeps the photo's pixels bit for bit where it is opaque. JPEG has no transparency: with it, white fills
    what no background covers.
    """
    size = fitted_size(photo.width, photo.height, options)
    if options.output is Output.MASK:
        return Canvas(_resize(matte, size), None)
    pixels, alpha = photo.pixels, matte
    if size != (photo.width, photo.height):
        pixels, alpha = _resize_cutout(pixels, alpha, size)
    canvas = Canvas(pixels, alpha)
    if options.background is not None:
        canvas = _over(canvas, options.background)
    if options.format is Format.JPEG and canvas.alpha is not None:
        canvas = _over(canvas, WHITE)
    return canvas


def fitted_size(width: int, height: int, options: Options) -> tuple[int, int]:
    """(width, height) in px that fit into `max_width` × `max_height`; the aspect ratio kept, never enlarged."""
    scale = min(1.0, (options.max_width or width) / width, (options.max_height or height) / height)
    if scale == 1.0:
        return width, height
    return max(1, round(width * scale)), max(1, round(height * scale))


def _resize(array: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if size == (array.shape[1], array.shape[0]):
        return array
    return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _resize_cutout(pixels: Pixels, alpha: Matte, size: tuple[int, int]) -> tuple[Pixels, Matte]:
    """Resize premultiplied: the colour of transparent pixels does not bleed into the subject's edge."""
    premultiplied = cv2.multiply(pixels, cv2.merge([alpha, alpha, alpha]), dtype=cv2.CV_16U)
    small = cv2.resize(premultiplied, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    weight = cv2.resize(alpha.astype(np.uint16) * 255, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    colour = small * (255.0 / np.maximum(weight, 1.0))[:, :, None]
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8), np.rint(weight / 255.0).astype(np.uint8)


def _over(canvas: Canvas, colour: Colour) -> Canvas:
    """The canvas over one colour (Porter and Duff's "over", 1984); opaque when the colour is."""
    assert canvas.alpha is not None
    pixels = np.empty_like(canvas.pixels)
    alpha = None if colour[3] == 255 else np.empty_like(canvas.alpha)
    for top in range(0, canvas.height, STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        cover = canvas.alpha[rows].astype(np.uint32)[:, :, None]
        under = (255 - cover) * np.uint32(colour[3])  # what shows of the colour, 0 to 255²
        total = cover * 255 + under
        blended = canvas.pixels[rows] * (cover * 255) + under * np.array(colour[:3], dtype=np.uint32)
        pixels[rows] = (blended + total // 2) // np.maximum(total, 1)
        if alpha is not None:
            alpha[rows] = ((total[:, :, 0] + 127) // 255).astype(np.uint8)
    return Canvas(pixels, alpha)
