"""Pictures of every kind become files without a loss, and results become the kind that came."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from library.kinds import check_format, file_bytes
from services.containers.errors import CorruptImage
from services.errors import BadOption, UploadTooLarge
from services.imaging.formats import Format


def read(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_pixels_become_a_file_bit_for_bit() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(read(file_bytes(pixels, 10))), pixels)
    image = Image.fromarray(pixels).convert("RGBA")
    assert read(file_bytes(image, 10)).tobytes() == image.tobytes()


def test_pixels_that_cannot_be_read_are_an_error_of_their_picture() -> None:
    # A batch goes on after it.
    closed = Image.new("RGB", (20, 20))
    closed.close()
    for picture in (closed, np.zeros((0, 20, 3), np.uint8)):
        with pytest.raises(CorruptImage):
            file_bytes(picture, 10)


def test_turned_image_becomes_upright() -> None:
    image = Image.new("RGB", (30, 20), "red")
    image.getexif()[0x0112] = 6
    assert read(file_bytes(image, 10)).size == (20, 30)


def test_profile_of_an_image_is_kept() -> None:
    image = Image.new("RGB", (4, 4))
    image.info["icc_profile"] = b"a profile"
    assert read(file_bytes(image, 10)).info["icc_profile"] == b"a profile"


@pytest.mark.parametrize(("mode", "becomes"), [("CMYK", "RGB"), ("YCbCr", "RGB"), ("RGBa", "RGBA"), ("L", "L")])
def test_image_of_any_mode_becomes_one_that_a_png_has(mode: str, becomes: str) -> None:
    assert read(file_bytes(Image.new(mode, (4, 4)), 10)).mode == becomes


def test_path_is_read_within_the_limit(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"12345")
    assert file_bytes(tmp_path / "photo", 5) == file_bytes(str(tmp_path / "photo"), 5) == b"12345"
    with pytest.raises(UploadTooLarge, match="5 bytes; allowed: 4"):
        file_bytes(tmp_path / "photo", 4)


def test_other_kind_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="a PIL image or a NumPy array, not int"):
        file_bytes(5, 10)  # type: ignore[arg-type] # it is the mistake under test


def test_zip_of_pixels_is_refused() -> None:
    with pytest.raises(BadOption, match="format is 'zip'"):
        check_format(Format.ZIP, np.zeros((4, 4)))
    check_format(Format.ZIP, np.zeros((4, 4)), force_bytes=True)
    check_format(Format.ZIP, b"")
