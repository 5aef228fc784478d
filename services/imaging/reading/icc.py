"""Converts colours to sRGB: applies profiles and converts other colour models."""

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

BAND_ROWS: Final = 256
MAX_PROFILE_BYTES: Final = 4 * 1024 * 1024


def to_srgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return RGB pixels in sRGB. A profile that can't be used is ignored, as browsers do."""
    profile = image.info.get("icc_profile")
    if image.mode in ("1", "LA"):
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "CMYK", "LAB"):
        # By way of RGBA where a palette may hold transparent entries: Pillow drops them with a warning otherwise.
        image = image.convert("RGBA" if image.mode in ("P", "PA") else "RGB")
    if image.mode == "LAB":
        return np.asarray(_convert_profile(image, ImageCms.createProfile("LAB")))
    if profile and len(profile) <= MAX_PROFILE_BYTES:
        try:
            converted = _apply_profile(image, profile)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            converted = None
        if converted is not None:
            return np.asarray(converted)
    return _rgb(image)


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return the image's pixels, converted band by band: whole, each of the steps would copy the picture."""
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    for top in range(0, image.height, BAND_ROWS):
        band = image.crop((0, top, image.width, min(top + BAND_ROWS, image.height)))
        pixels[top : top + BAND_ROWS] = np.asarray(band if band.mode == "RGB" else band.convert("RGB"))
    return pixels


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Return the image converted from its profile, None where there is nothing to convert."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    space = source.profile.xcolor_space.strip()
    if space == "RGB" and "srgb" in ImageCms.getProfileDescription(source).lower():
        return None
    modes = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
    if space not in modes:
        return None
    if image.mode != modes[space]:
        if "CMYK" in (space, image.mode):
            # A profile of another colour model than the picture's is meaningless.
            return None
        image = image.convert(modes[space])
    return _convert_profile(image, source)


def is_srgb(image: Image.Image) -> bool:
    """Return whether the picture's profile, if any, is sRGB or useless: then nothing is converted."""
    profile = image.info.get("icc_profile")
    if not profile or len(profile) > MAX_PROFILE_BYTES:
        return True
    try:
        return "srgb" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).lower()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False  # the slow way knows what to do


def _convert_profile(image: Image.Image, profile: Any) -> Image.Image:
    result = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if result is None:
        raise ValueError("the profile could not be applied")
    return result
