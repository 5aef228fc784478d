"""Sizes in AVIF and HEIC files."""

import struct

import pytest
from PIL import Image

from services.containers.errors import CorruptImage
from services.containers.heif import MAX_BOXES, heif_pixels
from services.imaging.decode import ImageLimits, inspect
from services.imaging.errors import TooManyPixels
from tests.support.images import encoded
from tests.support.pictures.hostile import lying


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def grid_of(width: int, height: int) -> bytes:
    """The index of a file whose only item is a grid of this size, kept in `idat`."""
    grid = struct.pack(">BBBBHH", 0, 0, 1, 1, width, height)
    entry = box(b"infe", struct.pack(">IHH4sB", 2 << 24, 1, 0, b"grid", 0))
    location = struct.pack(">IBBHHHHHII", 1 << 24, 0x44, 0, 1, 1, 1, 0, 1, 0, len(grid))
    index = box(b"iinf", struct.pack(">IH", 0, 1) + entry) + box(b"iloc", location) + box(b"idat", grid)
    return box(b"ftyp", b"avif\0\0\0\0avif") + box(b"meta", bytes(4) + index)


@pytest.mark.parametrize("form", ["AVIF", "HEIF"])
def test_honest_file_has_the_pixels_that_it_states(form: str) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    assert heif_pixels(encoded(Image.new("RGB", (640, 480)), form)) == 640 * 480


def test_coded_picture_larger_than_stated_weighs_as_itself() -> None:
    source = inspect(lying(1000, 800), ImageLimits())
    assert (source.width, source.megapixels) == (64, 0.8)


def test_coded_picture_larger_than_the_limit_is_refused() -> None:
    with pytest.raises(TooManyPixels, match="800000 pixels"):
        inspect(lying(1000, 800), ImageLimits(max_pixels=700_000))


def test_animation_is_read_by_its_tracks() -> None:
    frames = [Image.new("RGB", (640, 480), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    # Only the coded pictures still have their size.
    lie = data.replace(struct.pack(">II", 640, 480), struct.pack(">II", 64, 64))
    lie = lie.replace(struct.pack(">II", 640 << 16, 480 << 16), struct.pack(">II", 64 << 16, 64 << 16))
    lie = lie.replace(struct.pack(">HH", 640, 480), struct.pack(">HH", 64, 64))
    assert heif_pixels(data) == heif_pixels(lie) == 640 * 480


def test_grid_counts_as_its_output() -> None:
    assert heif_pixels(grid_of(12000, 9000)) == 12000 * 9000


def test_endless_lists_are_refused() -> None:
    with pytest.raises(CorruptImage, match="boxes"):
        heif_pixels(box(b"free", b"") * (MAX_BOXES + 1))
    location = box(b"iloc", struct.pack(">IBBHHHHH", 1 << 24, 0, 0, 1, 1, 1, 0, 65535))
    with pytest.raises(CorruptImage, match="overlap"):
        heif_pixels(box(b"meta", bytes(4) + location))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_cut_files_are_left_to_the_decoder(share: float) -> None:
    data = encoded(Image.new("RGB", (64, 64)), "AVIF")
    assert heif_pixels(data[: int(len(data) * share)]) in (0, 64 * 64)
