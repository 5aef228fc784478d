"""Colours of half-transparent pixels, on composites whose foreground is known."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.imaging import decontaminate as module
from services.imaging.decontaminate import decontaminate
from services.imaging.rasters import Photo

Floats = NDArray[np.float32]


def soft_disc(width: int, height: int, softness: float) -> Floats:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot(x - width / 2, y - height / 2)
    return np.asarray(np.clip((height / 3 - distance) / softness + 0.5, 0, 1), dtype=np.float32)


def composite(alpha: Floats, subject: Floats, ground: Floats) -> NDArray[np.uint8]:
    mixed = subject * alpha[..., None] + ground * (1 - alpha[..., None])
    return np.asarray(np.rint(mixed), dtype=np.uint8)


def colours(height: int, width: int) -> tuple[Floats, Floats]:
    """A subject in warm colours that change over the picture, and a green ground."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    subject = np.dstack([200 + 0 * x, 80 + 60 * x / width, 40 + 40 * y / height])
    ground = np.dstack([20 + 30 * y / height, 190 + 40 * x / width, 40 + 0 * x])
    return subject, ground


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "height", "softness"),
    [(640, 480, 20), (1600, 1200, 40), pytest.param(4000, 3000, 90, marks=pytest.mark.long)],
)
def test_the_known_foreground_comes_back_without_the_background(width: int, height: int, softness: float) -> None:
    alpha = soft_disc(width, height, softness)
    subject, ground = colours(height, width)
    mixed = composite(alpha, subject, ground)
    matte = np.rint(alpha * 255).astype(np.uint8)
    found = decontaminate(Photo(mixed.copy()), matte).pixels
    soft = (matte > 12) & (matte < 243)
    before = np.abs(mixed[soft] - subject[soft]).mean()
    after = np.abs(found[soft] - subject[soft]).mean()
    assert before > 40
    assert after < 0.1 * before
    assert np.abs(found[soft].astype(float) - subject[soft]).max() < 40


def test_shown_on_another_background_no_fringe_of_the_old_one_is_left() -> None:
    alpha = soft_disc(800, 600, 24)
    subject, ground = colours(600, 800)
    matte = np.rint(alpha * 255).astype(np.uint8)
    found = decontaminate(Photo(composite(alpha, subject, ground)), matte).pixels.astype(np.float32)
    white = np.full_like(found, 255)
    shown = found * alpha[..., None] + white * (1 - alpha[..., None])
    wanted = subject * alpha[..., None] + white * (1 - alpha[..., None])
    assert np.abs(shown - wanted).max() < 12


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_pixels_that_are_opaque_or_transparent_stay_bit_for_bit(width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    matte = rng.choice(np.array([0, 1, 128, 254, 255], np.uint8), (height, width))
    kept = pixels.copy()
    kept.flags.writeable = False
    found = decontaminate(Photo(pixels), matte).pixels
    hard = (matte == 0) | (matte == 255)
    assert np.array_equal(found[hard], kept[hard])
    assert np.array_equal(decontaminate(Photo(kept), matte).pixels, found)  # what may not be written to is copied
    assert found.shape == pixels.shape


def test_a_picture_of_one_colour_stays_as_it_is() -> None:
    pixels = np.full((300, 400, 3), (120, 30, 200), np.uint8)
    matte = np.asarray(cv2.GaussianBlur(np.pad(np.full((100, 200), 255, np.uint8), 100), (0, 0), 9), dtype=np.uint8)
    assert np.abs(decontaminate(Photo(pixels.copy()), matte).pixels.astype(int) - pixels).max() <= 1


def test_without_a_half_transparent_pixel_nothing_is_even_copied() -> None:
    pixels = np.zeros((50, 60, 3), np.uint8)
    matte = np.where(np.arange(60) < 30, np.uint8(255), np.uint8(0)) * np.ones((50, 1), np.uint8)
    photo = Photo(pixels)
    assert decontaminate(photo, matte) is photo


def test_half_transparent_pixels_of_the_input_keep_their_colour() -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (200, 300, 3)).astype(np.uint8)
    alpha = np.tile(np.linspace(0, 255, 300).astype(np.uint8), (200, 1))
    found = decontaminate(Photo(pixels.copy(), alpha), alpha).pixels
    assert np.array_equal(found, pixels)


def test_colours_are_estimated_around_the_soft_edge_alone_and_are_those_of_the_whole_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    height, width = 300, 380
    matte = np.full((height, width), 255, np.uint8)
    matte[60:160, 80:220] = 0  # a hole: its edge has the subject all around
    matte = np.asarray(cv2.blur(matte, (13, 13)), dtype=np.uint8)
    pixels = np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)
    seen = []
    estimates = module._estimates

    def noted(colour: Floats, cover: Floats) -> tuple[Floats, Floats]:
        seen.append(colour.shape[0] * colour.shape[1])
        return estimates(colour, cover)

    monkeypatch.setattr(module, "_estimates", noted)
    found = decontaminate(Photo(pixels.copy()), matte).pixels
    monkeypatch.setattr(module, "REACH", max(height, width))
    whole = decontaminate(Photo(pixels.copy()), matte).pixels
    assert seen[0] < 0.3 * seen[1] == 0.3 * height * width
    assert np.abs(found.astype(int) - whole).max() <= 1
