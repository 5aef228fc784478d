"""The figure for how clear a subject is, and the least visible subject."""

import cv2
import numpy as np
import pytest

from services.imaging.confidence import SMEAR, confidence, confirmed, is_blank, without_subject
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


def test_lack_of_alpha_inside_the_subject_lowers_the_confidence() -> None:
    worn = disc(60)
    worn[60:100, 60:100] = 232
    decided = disc(60)
    decided[60:100, 60:100] = 255
    assert confidence(worn) < confidence(decided) == 1.0


def test_blurred_part_of_the_outline_lowers_the_confidence() -> None:
    blurred = disc(60)
    blurred[:80] = cv2.GaussianBlur(blurred, (0, 0), 1.5)[:80]
    assert confidence(blurred) > 0.95
    blurred[:80] = cv2.GaussianBlur(disc(60), (0, 0), 9)[:80]
    assert confidence(blurred) < 0.95


def test_subject_may_touch_the_lower_half_of_the_frame_or_fill_it_and_not_leak_above() -> None:
    below = np.zeros((160, 160), np.uint8)
    below[90:, 30:160] = 255
    assert confidence(below) == 1.0
    leaking = disc(40)
    leaking[:80, 70:110] = 255
    assert confidence(leaking) == pytest.approx(0.7, abs=0.02)
    filling = np.zeros((160, 160), np.uint8)
    filling[:, :80] = 255
    assert confidence(filling) == 1.0


def test_second_look_that_sees_something_else_lowers_the_confidence() -> None:
    assert confirmed(0.9, 1.0) == 0.9
    assert confirmed(0.9, 0.25) == pytest.approx(0.45)


def test_second_look_makes_no_picture_empty_and_saves_none() -> None:
    assert confirmed(0.9, 0.0) == SMEAR
    assert confirmed(0.05, 0.0) == confirmed(0.05, 1.0) == 0.05


def test_smear_is_near_zero_and_a_doubtful_mask_above() -> None:
    assert confidence(disc(60, value=140)) < SMEAR
    doubtful = np.maximum(disc(70, value=140), disc(25))
    doubtful[:30] = 255
    assert SMEAR <= confidence(doubtful) < 0.5


def test_matte_without_a_visible_pixel_is_refused() -> None:
    matte = np.full((100, 100), 10, np.uint8)
    matte[0, :9] = 255
    absent = without_subject(matte, 1.0)
    assert isinstance(absent, NoSubject)
    assert "9 of 10000 pixels" in absent.details
    matte[0, 9] = 11
    assert without_subject(matte, 1.0) is None


def test_see_through_matte_of_an_unsure_mask_holds_no_subject() -> None:
    matte = np.full((100, 100), 127, np.uint8)
    absent = without_subject(matte, 0.05)
    assert isinstance(absent, NoSubject)
    assert "127 of 255" in absent.details
    assert without_subject(matte, 0.5) is None
    matte[0, 0] = 128
    assert without_subject(matte, 0.05) is None


def test_picture_is_blank_where_only_noise_differs() -> None:
    pixels = np.full((300, 400, 3), 90, np.uint8)
    pixels += np.random.default_rng(1).integers(0, 6, pixels.shape, np.uint8)
    assert is_blank(pixels)
    pixels[100:120, 200:230] += 60
    assert not is_blank(pixels)
