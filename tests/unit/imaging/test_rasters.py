"""A decoded photo's size and immutability."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from services.imaging.rasters import Photo


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
