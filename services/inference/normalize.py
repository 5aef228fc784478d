"""The model's input, as rembg's sessions make it: the same values, from a table instead of from every pixel."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from services.inference.graph import Floats

LEVELS: Final = np.arange(256)


def normalizer(inner_session: Any) -> Callable[..., dict[str, Floats]]:
    """Return what stands in for a rembg session's `normalize`: it returns the same feed, bit for bit.

    rembg computes every pixel in f64, with several copies of the picture. A channel has 256 levels: their values are
    computed the same way, and looked up.
    """
    name = inner_session.get_inputs()[0].name

    def normalize(
        image: Image.Image, mean: Sequence[float], std: Sequence[float], size: tuple[int, int], *_: object
    ) -> dict[str, Floats]:
        """Return {input: (1, 3, height, width), f32} for an image; `size` is (width, height)."""
        pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))
        shares = LEVELS / max(int(pixels.max()), 1e-6)
        found = np.empty((1, 3, *pixels.shape[:2]), np.float32)
        for channel, plane in enumerate(cv2.split(pixels)):
            cv2.LUT(plane, ((shares - mean[channel]) / std[channel]).astype(np.float32), found[0, channel])
        return {name: found}

    return normalize
