"""Damaged containers: whatever the bytes are, reading them ends, and raises nothing but the error of a bad file."""

import random
import struct
from collections.abc import Callable
from contextlib import suppress

import pytest
from PIL import Image

from services.containers.errors import CorruptImage
from services.containers.heif import heif_pixels
from services.containers.tiff import tiff_pixels
from tests.support.hostile import tiff_strips, tiff_tile
from tests.support.images import encoded

EXTREMES = (0, 1, 0xFF, 0xFFFF, 1 << 31, (1 << 32) - 1)


def mutated(data: bytes, seed: int) -> bytes:
    """The file with a few numbers replaced by extreme ones, mostly in its first kilobyte."""
    chance, found = random.Random(seed), bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(min(len(found) - 8, 1024))
        code = chance.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
        value = chance.choice(EXTREMES) * (1 << 32 if code[1] == "Q" else 1)
        size = struct.calcsize(code)
        struct.pack_into(code, found, at, value & (1 << 8 * size) - 1)
    return bytes(found[: chance.choice((len(found), chance.randrange(1, len(found))))])


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
            assert read(mutated(data, seed)) >= 0
    for offset in (2**63, 2**64 - 1):
        with suppress(CorruptImage):
            tiff_pixels(b"II+\0\x08\0\0\0" + struct.pack("<Q", offset) + bytes(99))
