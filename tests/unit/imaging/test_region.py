"""The region of interest, and the box of visible pixels."""

import numpy as np
import pytest

from services.errors import BadOption
from services.imaging.errors import RegionOutOfBounds
from services.imaging.geometry import Box
from services.imaging.options import Options
from services.imaging.rasters import Photo
from services.imaging.region import part_of, region, spread, visible_box

PHOTO = Photo(np.arange(40 * 60 * 3, dtype=np.uint16).reshape(40, 60, 3).astype(np.uint8))


def roi(text: str | None) -> Box:
    return region(PHOTO, Options.parse({"roi": text}))


def test_box_holds_everything_above_the_threshold() -> None:
    alpha = np.zeros((20, 30), np.uint8)
    assert visible_box(alpha).empty
    alpha[5, 7], alpha[11, 20], alpha[19, 29] = 11, 255, 10
    assert visible_box(alpha) == Box(7, 5, 14, 7)
    assert visible_box(alpha, 9) == Box(7, 5, 23, 15)


def test_region_is_the_whole_photo_by_default() -> None:
    assert roi(None) == Box(0, 0, 60, 40)
    assert roi("10px 50% 100% 40px") == Box(10, 20, 50, 20)


def test_region_beyond_the_photo_is_refused() -> None:
    with pytest.raises(RegionOutOfBounds, match="60×40"):
        roi("0 0 61px 40px")


def test_empty_region_is_refused() -> None:
    with pytest.raises(BadOption, match="empty") as caught:
        roi("30px 0 30px 40px")
    assert not isinstance(caught.value, RegionOutOfBounds)


def test_part_is_a_view_and_its_matte_goes_back_to_its_place() -> None:
    box = Box(10, 5, 20, 15)
    part = part_of(Photo(PHOTO.pixels, PHOTO.pixels[..., 0]), box)
    assert np.shares_memory(part.pixels, PHOTO.pixels)
    assert part.alpha is not None
    whole = spread(part.alpha, box, PHOTO)
    assert np.array_equal(whole[5:20, 10:30], PHOTO.pixels[5:20, 10:30, 0])
    whole[5:20, 10:30] = 0
    assert not whole.any()


def test_matte_of_the_whole_photo_is_not_copied() -> None:
    matte = np.zeros((40, 60), np.uint8)
    assert spread(matte, roi(None), PHOTO) is matte
