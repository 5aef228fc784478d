"""The arrays that the imaging steps pass to each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Height × width × 3, RGB, sRGB, 0 to 255."""
Mask = NDArray[np.uint8]
"""Height × width of the model's output, 0 (background) to 255 (subject)."""
Matte = NDArray[np.uint8]
"""Height × width of a photo, 0 (transparent) to 255 (opaque)."""
Plane = NDArray[np.float32]
"""Height × width, or height × width × channels; usually 0 to 1."""


@dataclass(frozen=True)
class Photo:
    """A decoded picture. `alpha` is its own transparency, None where it has none."""

    pixels: Pixels
    alpha: Matte | None = None

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def transparent(self) -> bool:
        """Return whether any pixel is not opaque."""
        return self.alpha is not None and int(self.alpha.min()) < 255


def upright(photo: Photo, orientation: int) -> Photo:
    """Return the photo with its EXIF orientation, 1 to 8, undone."""
    if orientation == 1:
        return photo
    turned = [None if a is None else np.ascontiguousarray(_turn(a, orientation)) for a in (photo.pixels, photo.alpha)]
    assert turned[0] is not None
    return Photo(turned[0], turned[1])


def _turn(array: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo one of the eight EXIF orientations: (transpose, flip rows, flip columns)."""
    transpose, rows, columns = {
        2: (False, False, True),
        3: (False, True, True),
        4: (False, True, False),
        5: (True, False, False),
        6: (True, False, True),
        7: (True, True, True),
        8: (True, True, False),
    }[orientation]
    if transpose:
        array = array.swapaxes(0, 1)
    return array[:: -1 if rows else 1, :: -1 if columns else 1]
