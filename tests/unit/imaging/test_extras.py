"""The mask and the preview that come with a result."""

import io

import numpy as np
import pytest
from PIL import Image

from services.imaging.compose import Canvas
from services.imaging.extras import PREVIEW_SIDE, Extras, shrunk
from services.imaging.geometry import Box


def canvas(width: int, height: int, *, alpha: bool = True) -> Canvas:
    pixels = np.full((height, width, 3), (200, 100, 50), dtype=np.uint8)
    matte = np.zeros((height, width), dtype=np.uint8)
    matte[:, : width // 2] = 255
    return Canvas(pixels, matte if alpha else None, Box(0, 0, width // 2, height))


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((320, 200), (320, 200)),
        ((3000, 1500), (320, 160)),
        ((1500, 3001), (160, 320)),
        ((5000, 1), (320, 1)),
        ((1, 1), (1, 1)),
    ],
)
def test_preview_fits_and_is_never_enlarged(size: tuple[int, int], small: tuple[int, int]) -> None:
    for alpha in (True, False):
        found = shrunk(canvas(*size, alpha=alpha))
        assert (found.width, found.height) == small
        assert (found.alpha is not None) == alpha


def test_files_are_a_grey_mask_of_full_size_and_a_small_picture() -> None:
    extras, picture = Extras(), canvas(1000, 500)
    assert picture.alpha is not None
    extras.fill(picture.alpha, picture)
    with Image.open(io.BytesIO(extras.mask)) as mask:
        assert (mask.format, mask.mode, mask.size) == ("PNG", "L", (1000, 500))
        assert np.array_equal(np.asarray(mask), picture.alpha)
    with Image.open(io.BytesIO(extras.preview)) as preview:
        assert (preview.format, preview.mode, preview.size) == ("WEBP", "RGBA", (PREVIEW_SIDE, PREVIEW_SIDE // 2))
        assert preview.getpixel((300, 80))[3] == 0  # type: ignore[index]
        red, green, blue, alpha = preview.getpixel((40, 80))  # type: ignore[misc]
        assert alpha == 255
        assert max(abs(red - 200), abs(green - 100), abs(blue - 50)) <= 6


def test_mask_as_picture_has_a_preview_too() -> None:
    grey = np.full((400, 800), 9, dtype=np.uint8)
    small = shrunk(Canvas(grey, None, Box(0, 0, 0, 0)))
    assert (small.width, small.height, int(small.pixels[0, 0])) == (320, 160, 9)
