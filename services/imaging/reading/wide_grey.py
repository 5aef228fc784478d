"""Makes a photo of grey of more than eight bits: `Image.convert` would clip it to white."""

from typing import Final

import numpy as np
from PIL import Image

from services.imaging.rasters import Matte, Photo
from services.imaging.reading.tiff import BITS, tiff_tags

PHOTOMETRIC, SAMPLE_FORMAT = 262, 339
WHITE_IS_ZERO: Final = 0
UNSIGNED: Final = 1


def wide_grey(image: Image.Image) -> Photo:
    """Return the picture as a photo, with the transparency of its one transparent value.

    `I;16` is 0–65535 (0–4095 of 12 bits); `I` the same, or scaled by its largest value where that is more; `F` is 0–1,
    0–255 or 0–65535, whichever its largest value fits.
    """
    tags, values = tiff_tags(image), np.asarray(image)
    (bits, *_), (kind, *_) = tags.get(BITS, (16,)), tags.get(SAMPLE_FORMAT, (UNSIGNED,))
    if image.mode == "I" and (bits, kind) == (32, UNSIGNED):
        # Pillow takes unsigned values of 32 bits for signed ones.
        values = values.view(np.uint32)
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(values.max(initial=0.0))
    if image.mode == "F":
        white = next((w for w in (1.0, 255.0, 65535.0) if largest <= w), largest)
    else:
        white = 4095.0 if bits == 12 else max(65535.0, largest)
    grey = (np.clip(values / white, 0, 1) * 255 + 0.5).astype(np.uint8)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        grey = 255 - grey
    transparent = image.info.get("transparency")
    alpha: Matte | None = None
    if isinstance(transparent, int):
        alpha = np.where(values == transparent, 0, 255).astype(np.uint8)
    return Photo(np.repeat(grey[:, :, None], 3, axis=2), alpha)
