"""The photo's own ground behind its subject: filled, blurred, and placed on a canvas."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.imaging.blend import resize
from services.imaging.geometry import Box
from services.imaging.ground import blurred_ground, ground_on_canvas
from services.imaging.layout import Layout
from services.imaging.rasters import Photo

Array = NDArray[np.uint8]


def scene(times: int = 1) -> tuple[Photo, Array]:
    """A red disc with a soft edge on blue and green stripes of 300×200 px, or `times` the size."""
    y, x = np.mgrid[: 200 * times, : 300 * times].astype(np.float32) / times
    stripes = (np.sin(x / 6) > 0)[..., None]
    ground = np.where(stripes, np.array([20, 60, 200]), np.array([20, 200, 60])).astype(np.float32)
    cover = np.clip(60.5 - np.hypot(x - 150, y - 100), 0, 1)[..., None]
    pixels = cover * np.array([255, 0, 0], np.float32) + (1 - cover) * ground
    return Photo(np.rint(pixels).astype(np.uint8)), np.rint(cover[..., 0] * 255).astype(np.uint8)


def whole(ground: Photo | None, size: tuple[int, int] = (300, 200)) -> Array:
    assert ground is not None
    box = Box(0, 0, *size)
    return ground_on_canvas(ground, box, Layout(*size, box, box)).pixels


@pytest.mark.parametrize("blur", [0, 1, 10, 40, 100])
def test_no_colour_of_the_subject_is_left(blur: float) -> None:
    photo, matte = scene()
    found = whole(blurred_ground(photo, matte, blur))
    assert found[..., 0][matte == 0].max() <= 22
    assert found[..., 0].max() <= (120 if blur == 0 else 24)
    assert found[..., 0].min() >= 18


def test_larger_number_blurs_more() -> None:
    photo, matte = scene()
    contrasts = [float(whole(blurred_ground(photo, matte, blur))[:, :80, 1].std()) for blur in (0, 5, 10, 40, 100)]
    assert contrasts == sorted(contrasts, reverse=True)
    assert contrasts[0] > 65 > 15 > contrasts[-1]


@pytest.mark.parametrize("blur", [3, 10, 40, 100])
@pytest.mark.slow
def test_same_number_looks_the_same_at_every_size(blur: float) -> None:
    shown = []
    large, cover = scene(8)
    for size in ((300, 200), (900, 600), (2400, 1600)):
        pixels, matte = (resize(plane, size) for plane in (large.pixels, cover))
        ground = blurred_ground(Photo(pixels), matte, blur)
        assert ground is not None
        shown.append(resize(ground.pixels, (60, 40)).astype(int))
    free = resize(cover, (60, 40)) == 0
    for other in shown[1:]:
        assert np.abs(shown[0] - other)[free].mean() < 1
        assert np.abs(shown[0] - other)[free].max() <= 25


def test_zero_keeps_the_photo_bit_for_bit_beside_the_subject() -> None:
    photo, matte = scene()
    ground = blurred_ground(photo, matte, 0)
    assert ground is not None
    assert np.array_equal(ground.pixels[matte == 0], photo.pixels[matte == 0])
    assert ground.pixels[100, 150].tolist() == pytest.approx([20, 130, 130], abs=30)


def test_photo_that_is_all_subject_is_blurred_as_it_is() -> None:
    photo, matte = scene()
    found = whole(blurred_ground(photo, np.full_like(matte, 255), 10))
    assert found[100, 150].tolist() == pytest.approx([255, 0, 0], abs=6)


def test_cut_out_photo_has_no_ground() -> None:
    photo, matte = scene()
    assert blurred_ground(Photo(photo.pixels, matte), matte, 10) is None


def test_ground_keeps_the_photos_own_transparency() -> None:
    photo, matte = scene()
    own = np.where(np.arange(300) < 60, 0, 255).astype(np.uint8) * np.ones((200, 1), np.uint8)
    ground = blurred_ground(Photo(photo.pixels, own), np.minimum(matte, own), 5)
    assert ground is not None
    assert ground.alpha is not None
    alpha = cv2.resize(ground.alpha, (300, 200))
    assert alpha[:, :50].max() == 0
    assert alpha[:, 70:].min() >= 250


def test_rim_of_one_pixel_of_ground_is_enough() -> None:
    photo, _ = scene()
    matte = np.full((200, 300), 255, np.uint8)
    matte[:, :1] = 0
    assert whole(blurred_ground(photo, matte, 20))[..., 0].max() <= 24


def test_crop_shows_its_part_of_the_ground() -> None:
    pixels = np.arange(200 * 300 * 3, dtype=np.uint32).reshape(200, 300, 3).astype(np.uint8)
    layout = Layout(100, 50, Box(30, 40, 100, 50), Box(0, 0, 100, 50))
    shown = ground_on_canvas(Photo(pixels), Box(0, 0, 300, 200), layout)
    assert np.array_equal(shown.pixels, pixels[40:90, 30:130])


def test_small_ground_is_enlarged_to_the_part_that_is_shown() -> None:
    ramp = np.repeat(np.arange(30, dtype=np.uint8)[None, :, None] * 8, 20, axis=0).repeat(3, axis=2)
    layout = Layout(200, 100, Box(60, 80, 100, 50), Box(0, 0, 200, 100))
    shown = ground_on_canvas(Photo(ramp), Box(0, 0, 300, 200), layout).pixels
    # 20 px of the canvas are one of the ground, whose first visible one is the sixth.
    expected = ((np.arange(200) + 0.5) / 20 + 6 - 0.5) * 8
    assert np.abs(shown[50, :, 0] - expected).max() <= 1


def test_ground_covers_a_canvas_that_the_photo_does_not() -> None:
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[:, 100:200] = 255
    layout = Layout(200, 200, Box(0, 0, 300, 200), Box(0, 33, 200, 133))
    shown = ground_on_canvas(Photo(pixels), Box(0, 0, 300, 200), layout).pixels
    assert shown.shape == (200, 200, 3)
    assert (shown[:, 50:150] == 255).all()
    assert shown[:, :50].max() == 0
