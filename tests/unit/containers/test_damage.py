"""Damaged containers: whatever the bytes are, reading them ends, and raises nothing but the error of a bad file."""

import struct
from collections.abc import Callable
from contextlib import suppress

import pytest
from PIL import Image

from services.containers.errors import CorruptImage
from services.containers.heif import heif_pixels
from services.containers.tiff import tiff_pixels
from services.errors import ServiceError
from services.imaging.decode import ImageLimits, decode, inspect
from tests.support.images import encoded
from tests.support.pictures.damage import damaged_chunks, extreme_numbers
from tests.support.pictures.hostile import tiff_strips, tiff_tile


def sequence() -> bytes:
    frames = [Image.new("L", (64, 64), value) for value in (0, 99)]
    return encoded(frames[0], "AVIF", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("read", "make"),
    [
        (tiff_pixels, lambda: tiff_tile(48)),
        (tiff_pixels, lambda: tiff_tile(48, order=">", big=True)),
        (tiff_pixels, lambda: tiff_strips(64, big=True)),
        (heif_pixels, lambda: encoded(Image.new("RGB", (64, 64)), "AVIF")),
        (heif_pixels, sequence),
    ],
    ids=["tiff", "bigtiff", "strips", "avif", "sequence"],
)  # fmt: skip
def test_extreme_numbers_raise_only_corrupt_image(read: Callable[[bytes], int], make: Callable[[], bytes]) -> None:
    data = make()
    for seed in range(2000):
        with suppress(CorruptImage):
            assert read(extreme_numbers(data, seed)) >= 0
    for offset in (2**63, 2**64 - 1):
        with suppress(CorruptImage):
            tiff_pixels(b"II+\0\x08\0\0\0" + struct.pack("<Q", offset) + bytes(99))


def test_damaged_chunks_of_a_png_are_decoded_or_refused() -> None:
    data = encoded(Image.new("P", (64, 64)), "PNG", transparency=0, dpi=(72, 72))
    outcomes = set()
    for seed in range(600):
        try:
            decode(inspect(damaged_chunks(data, seed), ImageLimits()))
            outcomes.add("decoded")
        except ServiceError as exc:
            outcomes.add(exc.code)
    assert outcomes == {"decoded", "corrupt_image", "too_many_pixels"}
