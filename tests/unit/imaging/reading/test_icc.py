"""Colours in sRGB: profiles and other colour models."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from services.imaging.reading.icc import BAND_ROWS, MAX_PROFILE_BYTES, is_srgb, to_srgb

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOUR = (180, 90, 30)


def swapped() -> bytes:
    """An sRGB profile with its red and blue primaries exchanged, and another name."""
    data = bytearray(SRGB)
    for at in range(132, 132 + 12 * int.from_bytes(data[128:132], "big"), 12):
        name = bytes(data[at : at + 4])
        data[at : at + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ", b"desc": b"dxxx"}.get(name, name)
    return bytes(data)


def picture(profile: bytes | None = None, mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", (4, 3), COLOUR).convert(mode)
    if profile is not None:
        image.info["icc_profile"] = profile
    return image


def test_foreign_profile_is_applied() -> None:
    assert not is_srgb(picture(swapped()))
    # Red and blue primaries are exchanged, so the channels come out exchanged.
    assert np.abs(to_srgb(picture(swapped())).astype(int) - COLOUR[::-1]).max() <= 2


def test_srgb_profile_changes_nothing() -> None:
    assert is_srgb(picture(SRGB))
    assert is_srgb(picture())
    assert (to_srgb(picture(SRGB)) == COLOUR).all()


def test_unreadable_profile_is_ignored() -> None:
    for profile in (b"no profile", SRGB[:200]):
        assert (to_srgb(picture(profile)) == COLOUR).all()


def test_oversized_profile_is_ignored() -> None:
    large = swapped().ljust(MAX_PROFILE_BYTES + 1, b"\0")
    assert is_srgb(picture(large))
    assert (to_srgb(picture(large)) == COLOUR).all()


def test_rgb_profile_on_cmyk_is_ignored() -> None:
    plain = to_srgb(picture(mode="CMYK"))
    assert np.array_equal(to_srgb(picture(swapped(), "CMYK")), plain)


def test_every_mode_becomes_rgb() -> None:
    for mode in ("1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F"):
        found = to_srgb(Image.new(mode, (4, 3)))
        assert found.shape == (3, 4, 3), mode
        assert found.dtype == np.uint8, mode


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_bands_give_the_pixels_of_a_whole_conversion(mode: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2 * BAND_ROWS + 7, 33, 3), dtype=np.uint8)
    image = Image.fromarray(noise).convert(mode)
    assert np.array_equal(to_srgb(image), np.asarray(image.convert("RGB")))
