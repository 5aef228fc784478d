"""A mask that the caller sends: which files are one, and their values."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from services.containers.errors import CorruptImage
from services.imaging.decode import ImageLimits, Source, inspect
from services.imaging.errors import MaskMismatch
from services.imaging.given_mask import check_kind, check_sides, check_size, decode_mask
from services.imaging.rasters import Matte, Photo
from tests.support.images import encoded

RAMP = np.tile(np.arange(256, dtype=np.uint8), (20, 1))


def photo(width: int = 256, height: int = 20) -> Source:
    return inspect(encoded(Image.new("RGB", (width, height)), "JPEG"), ImageLimits())


def read(data: bytes) -> Matte:
    return decode_mask(inspect(data, ImageLimits()))


def test_grey_values_are_read_exactly() -> None:
    grey = Image.fromarray(RAMP)
    assert np.array_equal(read(encoded(grey, "PNG")), RAMP)
    assert np.array_equal(read(encoded(grey.convert("RGB"), "PNG")), RAMP)
    assert np.array_equal(read(encoded(grey.convert("RGBA"), "PNG")), RAMP)
    assert np.array_equal(read(encoded(grey.convert("RGB"), "WEBP", lossless=True)), RAMP)


def test_lossy_webp_is_a_mask_too() -> None:
    found = read(encoded(Image.fromarray(RAMP).convert("RGB"), "WEBP", quality=50))
    assert np.abs(found.astype(int) - RAMP).max() < 16


def test_colour_profile_does_not_change_the_values() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert np.array_equal(read(encoded(Image.fromarray(RAMP), "PNG", icc_profile=profile)), RAMP)


def test_colours_and_transparency_are_refused() -> None:
    red = Image.new("RGB", (256, 20), (255, 0, 0))
    with pytest.raises(MaskMismatch, match="up to 255"):
        read(encoded(red, "PNG"))
    red.putalpha(40)
    with pytest.raises(MaskMismatch, match="transparent"):
        read(encoded(red, "PNG"))


@pytest.mark.parametrize(
    ("data", "found"), [(encoded(Image.new("L", (256, 20)), "JPEG"), "JPEG"), (b"GIF89a", "GIF"), (b"", "")]
)
def test_file_that_is_neither_png_nor_webp_is_refused(data: bytes, found: str) -> None:
    with pytest.raises(MaskMismatch, match=rf"{found}.*; allowed: PNG and WebP"):
        check_kind(data)


def test_damaged_mask_is_refused() -> None:
    data = encoded(Image.fromarray(np.random.default_rng(1).integers(0, 256, (20, 256), np.uint8)), "PNG")
    with pytest.raises(CorruptImage):
        read(data[: len(data) // 2])


def test_size_is_checked_before_decoding_and_again_upright() -> None:
    with pytest.raises(MaskMismatch, match="the mask is 255×20 px; the photo's sides are 256 and 20 px"):
        check_sides(inspect(encoded(Image.new("L", (255, 20)), "PNG"), ImageLimits()), photo())
    # Turned by its EXIF orientation, as the header does not say.
    check_sides(inspect(encoded(Image.new("L", (20, 256)), "PNG"), ImageLimits()), photo())
    upright = Photo(np.zeros((20, 256, 3), np.uint8))
    check_size(RAMP, upright)
    with pytest.raises(MaskMismatch, match="20×256 px, the upright photo 256×20"):
        check_size(np.ascontiguousarray(RAMP.T), upright)
