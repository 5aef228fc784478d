"""The arrays that the imaging steps hand to each other."""

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
