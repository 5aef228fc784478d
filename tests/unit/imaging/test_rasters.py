"""A decoded photo's size and immutability."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from PIL import Image, ImageOps

from services.imaging.rasters import Photo, upright


def test_width_is_the_number_of_columns() -> None:
    photo = Photo(np.zeros((3, 7, 3), np.uint8))
    assert (photo.width, photo.height) == (7, 3)
    # A NumPy integer would not go into JSON.
    assert type(photo.width) is int
    assert type(photo.height) is int


def test_photo_is_opaque_and_frozen_by_default() -> None:
    photo = Photo(np.zeros((1, 1, 3), np.uint8))
    assert photo.alpha is None
    with pytest.raises(FrozenInstanceError):
        photo.alpha = np.zeros((1, 1), np.uint8)  # type: ignore[misc]  # the assignment is the test


def test_photo_is_transparent_where_any_pixel_is_not_opaque() -> None:
    pixels, alpha = np.zeros((2, 2, 3), np.uint8), np.full((2, 2), 255, np.uint8)
    assert not Photo(pixels).transparent
    assert not Photo(pixels, alpha).transparent
    alpha[1, 0] = 254
    assert Photo(pixels, alpha).transparent


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_undone_as_pillow_does(orientation: int) -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    image, exif = Image.fromarray(pixels), Image.Exif()
    exif[0x0112] = orientation
    image.info["exif"] = exif.tobytes()
    turned = upright(Photo(pixels, pixels[..., 0]), orientation)
    assert np.array_equal(turned.pixels, np.asarray(ImageOps.exif_transpose(image)))
    assert turned.alpha is not None
    assert np.array_equal(turned.alpha, turned.pixels[..., 0])
