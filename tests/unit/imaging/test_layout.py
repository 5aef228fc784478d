"""The plan of a canvas: crop, scale, position and the largest size."""

import pytest

from services.imaging.geometry import Box
from services.imaging.layout import Layout, fitted_size, largest_canvas, plan
from services.imaging.options import Options

PHOTO = Box(0, 0, 400, 300)
SUBJECT = Box(100, 60, 80, 120)


def planned(shadow: Box | None = None, **raw: object) -> Layout:
    return plan(PHOTO.width, PHOTO.height, SUBJECT, shadow, Options.parse(raw))


def test_photo_stays_as_it_is_without_options() -> None:
    assert planned() == Layout(400, 300, PHOTO, PHOTO)
    assert not planned().resamples


def test_crop_shows_the_subject_with_margin_and_shadow() -> None:
    assert planned(crop=True).source == SUBJECT
    assert planned(crop=True, crop_margin="10px").source == Box(90, 50, 100, 140)
    assert planned(Box(120, 160, 100, 40), crop=True).source == Box(100, 60, 120, 140)


def test_margin_beyond_the_photo_leaves_room_on_the_canvas() -> None:
    layout = plan(100, 80, Box(0, 0, 100, 80), None, Options.parse({"crop": True, "crop_margin": "10px"}))
    assert layout == Layout(120, 100, Box(0, 0, 100, 80), Box(10, 10, 100, 80))


def test_scale_and_position_move_the_subject_alone() -> None:
    layout = planned(scale="50%", position="0% 100%")
    # Half of the canvas's height, and the subject's aspect ratio.
    assert layout == Layout(400, 300, SUBJECT, Box(0, 150, 100, 150))
    assert planned(position="original").target == PHOTO
    assert planned(scale="100%", position="original").target == Box(62, 0, 200, 300)


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        ({}, (3000, 2000)),
        ({"max_width": 9000}, (3000, 2000)),
        ({"max_width": 9000, "max_height": 9000, "max_pixels": 500_000_000}, (3000, 2000)),
        ({"max_width": 300}, (300, 200)),
        ({"max_width": 300, "max_height": 100}, (150, 100)),
        ({"max_pixels": 6_000_000}, (3000, 2000)),
        ({"max_pixels": 100_000}, (387, 258)),
    ],
)
def test_size_is_bounded_and_keeps_the_aspect_ratio(raw: dict[str, object], size: tuple[int, int]) -> None:
    assert fitted_size(3000, 2000, Options.parse(raw)) == size


def test_largest_canvas_bounds_every_crop() -> None:
    options = Options.parse({"crop": True, "crop_margin": "50%"})
    assert largest_canvas(400, 300, options) == 800 * 600
    assert largest_canvas(400, 300, Options()) == 400 * 300
