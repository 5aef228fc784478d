"""The figure for how clear a subject is, and the least visible subject."""

import cv2
import numpy as np
import pytest

from services.imaging.confidence import check_subject, confidence
from services.imaging.errors import NoSubject
from services.imaging.rasters import Mask


def disc(radius: int = 40, side: int = 160, value: int = 255) -> Mask:
    return np.asarray(cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 2), radius, value, -1))


def test_one_clear_disc_is_certain() -> None:
    assert confidence(disc()) == 1.0


def test_empty_and_full_masks_have_no_confidence() -> None:
    assert confidence(np.zeros((64, 64), np.uint8)) == 0.0
    assert confidence(np.full((64, 64), 255, np.uint8)) == 0.0


def test_equal_fragments_lower_the_confidence() -> None:
    two = np.hstack([disc(), disc()])
    assert confidence(two) == pytest.approx(0.75)
    assert confidence(np.hstack([two, two])) == pytest.approx(0.625)


def test_undecided_pixels_lower_the_confidence() -> None:
    unsure = np.maximum(disc(60, value=140), disc(30))
    assert 0.2 < confidence(unsure) < 0.5


def test_matte_without_a_visible_pixel_is_refused() -> None:
    matte = np.full((100, 100), 10, np.uint8)
    matte[0, :9] = 255
    with pytest.raises(NoSubject, match="9 of 10000 pixels"):
        check_subject(matte)
    matte[0, 9] = 11
    check_subject(matte)
