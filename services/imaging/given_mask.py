"""Reads a mask that the caller sends instead of one that a model makes."""

from typing import Final

import numpy as np

from services.containers.sniff import sniff
from services.imaging.decode import Source, decode
from services.imaging.errors import MaskMismatch
from services.imaging.rasters import Matte, Photo

FORMATS: Final = {"png": "PNG", "webp": "WebP"}
# Lossy WebP gives grey back with a little colour.
GREY_TOLERANCE: Final = 4


def check_kind(data: bytes) -> None:
    """Raise `MaskMismatch` where the file is neither PNG nor WebP."""
    kind = sniff(data)
    if kind.name not in FORMATS:
        raise MaskMismatch(f"the mask is {kind.label}; allowed: {' and '.join(FORMATS.values())}")


def check_sides(mask: Source, photo: Source) -> None:
    """Raise `MaskMismatch` where the mask's sides are not the photo's, which may still be turned."""
    if sorted((mask.width, mask.height)) != sorted((photo.width, photo.height)):
        raise MaskMismatch(
            f"the mask is {mask.width}×{mask.height} px; the photo's sides are {photo.width} and {photo.height} px"
        )


def decode_mask(source: Source) -> Matte:
    """Decode an inspected mask. Raises `MaskMismatch` where it is not grey or not opaque, and `CorruptImage`."""
    # Its values are shares, not colours.
    source.image.info.pop("icc_profile", None)
    mask = decode(source)
    if mask.alpha is not None:
        raise MaskMismatch("the mask has transparent pixels; allowed: only grey values, 255 for the subject")
    matte = np.ascontiguousarray(mask.pixels[:, :, 1])
    for channel in (0, 2):
        difference = int(np.abs(mask.pixels[:, :, channel].astype(np.int16) - matte).max())
        if difference > GREY_TOLERANCE:
            raise MaskMismatch(f"the mask has colours, channels differ by up to {difference}; allowed: grey")
    return matte


def check_size(matte: Matte, photo: Photo) -> None:
    """Raise `MaskMismatch` where the matte is not as large as the upright photo."""
    if matte.shape != photo.pixels.shape[:2]:
        height, width = matte.shape
        raise MaskMismatch(f"the mask is {width}×{height} px, the upright photo {photo.width}×{photo.height} px")
