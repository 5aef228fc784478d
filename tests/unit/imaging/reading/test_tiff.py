"""Planes of 16 bits are read as that: compared with the same picture in one plane."""

import io

import numpy as np
import pytest
from PIL import Image

from services.imaging.decode import ImageLimits, decode, inspect
from services.imaging.reading.tiff import correct_planes, tiff_tags
from tests.support.pictures import corpus
from tests.support.pictures.hostile import LONG, SHORT, tiff

LIMITS = ImageLimits()
UNSPECIFIED, UNASSOCIATED = 0, 2


def planes(pixels: np.ndarray, order: str, extra: list[int]) -> bytes:
    """Return an uncompressed TIFF with a plane of 16 bits for each of the pixels' channels."""
    height, width, count = pixels.shape
    size = height * width * 2
    tags = {
        256: (LONG, [width]), 257: (LONG, [height]), 258: (SHORT, [16] * count), 259: (SHORT, [1]),
        262: (SHORT, [2]), 273: (LONG, [size * plane for plane in range(count)]), 277: (SHORT, [count]),
        278: (LONG, [height]), 279: (LONG, [size] * count), 284: (SHORT, [2]),
    }  # fmt: skip
    if extra:
        tags[338] = (SHORT, extra)
    wide = (pixels.astype(np.uint16) * 257).astype(f"{order}u2")
    return tiff(tags, np.moveaxis(wide, 2, 0).tobytes(), order)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("channels", "extra"), [(3, []), (4, [UNASSOCIATED]), (4, [UNSPECIFIED])])
def test_planes_of_16_bits_keep_their_colours(order: str, channels: int, extra: list[int]) -> None:
    pixels = np.dstack([np.asarray(corpus.photo()), np.full((64, 96), 99, np.uint8)])[:, :, :channels]
    found = decode(inspect(planes(pixels, order, extra), LIMITS))
    np.testing.assert_array_equal(found.pixels, pixels[:, :, :3])
    if extra == [UNASSOCIATED]:
        assert found.alpha is not None
        np.testing.assert_array_equal(found.alpha, pixels[:, :, 3])
    else:
        assert found.alpha is None


def test_other_pictures_stay_as_they_are() -> None:
    for form in ("PNG", "TIFF"):
        with Image.open(io.BytesIO(corpus.good(form))) as image:
            before = list(image.tile)
            correct_planes(image)
            assert image.tile == before
            assert bool(tiff_tags(image)) == (form == "TIFF")
