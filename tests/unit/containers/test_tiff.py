"""Facts of TIFF directories that decide how much a decoder works."""

import io

import pytest
from PIL import Image, TiffImagePlugin

from services.containers.errors import CorruptImage
from services.containers.tiff import MAX_NUMBERS, MAX_PIECES, is_raw_photo, tiff_pixels
from services.imaging.decode import ImageLimits, decode, inspect
from services.imaging.errors import TooManyPixels, UnsupportedFormat
from tests.support.images import encoded
from tests.support.pictures.hostile import tiff_numbers, tiff_strips, tiff_tile

# Pillow reads the fourth layout, a big-endian BigTIFF, as a classic TIFF, and fails.
READABLE = pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
LAYOUTS = pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True), (">", True)])


@LAYOUTS
def test_tiles_count_as_whole_tiles(order: str, big: bool) -> None:
    assert tiff_pixels(tiff_tile(48, order=order, big=big)) == 96 * 96


@READABLE
def test_generated_tiff_is_read_by_pillow(order: str, big: bool) -> None:
    image = Image.open(io.BytesIO(tiff_tile(128, order=order, big=big)))
    assert image.size == (64, 64)
    image.load()


@LAYOUTS
def test_tile_larger_than_the_limit_is_refused(order: str, big: bool) -> None:
    bomb = tiff_tile(8000, order=order, big=big)
    with pytest.raises(TooManyPixels, match="64000000 pixels"):
        inspect(bomb, ImageLimits())


def test_tile_larger_than_the_picture_weighs_as_the_tile() -> None:
    source = inspect(tiff_tile(1024), ImageLimits())
    assert source.megapixels == 1024 * 1024 / 1e6
    assert decode(source).pixels.shape == (64, 64, 3)


@READABLE
def test_endless_strips_are_refused(order: str, big: bool) -> None:
    tiff_pixels(tiff_strips(MAX_PIECES, order, big))
    with pytest.raises(CorruptImage, match=f"{MAX_PIECES + 1} strips"):
        inspect(tiff_strips(MAX_PIECES + 1, order, big), ImageLimits())


def test_big_endian_bigtiff_is_read_as_both_kinds() -> None:
    with pytest.raises(CorruptImage, match=r"strips|numbers"):
        inspect(tiff_strips(MAX_PIECES + 1, ">", big=True), ImageLimits())


def test_endless_numbers_are_refused() -> None:
    with pytest.raises(CorruptImage, match="numbers"):
        inspect(tiff_numbers(MAX_NUMBERS + 1), ImageLimits())


def test_picture_in_strips_has_no_hidden_pixels() -> None:
    assert tiff_pixels(encoded(Image.new("RGB", (64, 64)), "TIFF")) == 0


@pytest.mark.parametrize("data", [b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0+" + bytes(20), b"II*\0\x08\0\0\0\xff\xff"])
def test_cut_directories_have_no_hidden_pixels(data: bytes) -> None:
    assert tiff_pixels(data) == 0


def preview(**tags: tuple[int, int | bytes]) -> bytes:
    """Return a TIFF with these tags besides: number, value."""
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for number, value in tags.values():
        directory[number] = value
    return encoded(Image.new("RGB", (160, 120), "red"), "TIFF", tiffinfo=directory)


DNG_VERSION = (50706, b"\1\4\0\0")
REDUCED = (254, 1)
SUB_DIRECTORIES = (330, 8)


@pytest.mark.parametrize("data", [preview(version=DNG_VERSION), preview(kind=REDUCED, others=SUB_DIRECTORIES)])
def test_raw_file_of_a_camera_is_refused_and_its_preview_is_not_the_result(data: bytes) -> None:
    assert is_raw_photo(data)
    with pytest.raises(UnsupportedFormat, match="found a camera's raw file") as refused:
        inspect(data, ImageLimits())
    assert "photo program" in refused.value.solution


@pytest.mark.parametrize("data", [preview(), preview(kind=REDUCED), preview(others=SUB_DIRECTORIES), b"II*\0"])
def test_other_tiffs_are_not_raw_files(data: bytes) -> None:
    assert not is_raw_photo(data)
