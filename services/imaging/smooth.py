"""A matte becomes a hard mask with a smooth outline: what rembg calls post-processing."""

from typing import Final

import cv2
import numpy as np

from services.imaging.decode import Matte

CROSS: Final = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))  # a disc of radius 1
SIGMA: Final = 2.0  # px
HALF: Final = 127
FINER: Final = 256


def smooth(matte: Matte, limit: Matte | None) -> Matte:
    """The matte opened (specks and threads of a pixel vanish), blurred, and cut at one half: 0 and 255 alone.

    Order and figures are rembg's `post_process` (2.0.86). Never more opaque than `limit`, the photo's own transparency.
    """
    opened = cv2.morphologyEx(matte, cv2.MORPH_OPEN, CROSS)
    fine = opened.astype(np.uint16) * np.uint16(FINER)  # rounded to whole levels it would cut elsewhere
    blurred = cv2.GaussianBlur(fine, (0, 0), SIGMA, borderType=cv2.BORDER_REFLECT)
    hard = np.where(blurred >= HALF * FINER, np.uint8(255), np.uint8(0))
    return hard if limit is None else np.minimum(hard, limit)
