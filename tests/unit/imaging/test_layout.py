"""The plan of a canvas: crop, scale, position and the largest size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_scale_and_position_move_only_the_subject() -> None:
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
    assert largest_canvas(400, 300, Options.parse({"canvas": "1000 50"})) == 50_000
    # A canvas of another ratio has at most four times the photo's pixels.
    assert largest_canvas(400, 300, Options.parse({"canvas": "1:1"})) == 160_000
    assert largest_canvas(400, 300, Options.parse({"canvas": "1:10"})) <= 4 * 400 * 300 + 4000
    widest = Options.parse({"crop": True, "crop_margin": "50%", "canvas": "10:1"})
    assert largest_canvas(400, 300, widest) <= 4 * 400 * 300 + 4000


def test_canvas_holds_the_whole_photo_in_its_middle() -> None:
    assert planned(canvas="200 300") == Layout(200, 300, PHOTO, Box(0, 75, 200, 150))
    assert planned(canvas="800 700") == Layout(800, 700, PHOTO, Box(0, 50, 800, 600))
    assert planned(canvas="800 700", enlarge="never") == Layout(800, 700, PHOTO, Box(200, 200, 400, 300))
    assert planned(canvas="400 300") == planned()


def test_subject_fills_its_share_of_the_canvas() -> None:
    # The subject has 80×120 px.
    assert planned(canvas="1000 600", scale="50%") == Layout(1000, 600, SUBJECT, Box(400, 150, 200, 300))
    assert planned(canvas="100 600", scale="80%") == Layout(100, 600, SUBJECT, Box(10, 240, 80, 120))
    assert planned(canvas="1000 600", scale="50%", position="0% 100%").target == Box(0, 300, 200, 300)
    assert planned(canvas="1000 600", scale="50%", enlarge="never").target == Box(460, 240, 80, 120)
    assert planned(canvas="100 60", scale="50%", enlarge="never") == planned(canvas="100 60", scale="50%")
    # Without a share it keeps the size that it has on the whole photo.
    assert planned(canvas="800 600", position="0%").target == Box(0, 0, 160, 240)
    assert planned(canvas="800 600", position="0%", enlarge="never").target == Box(0, 0, 80, 120)


def test_crop_fills_the_canvas_with_its_margin() -> None:
    assert planned(canvas="600 600", crop=True) == Layout(600, 600, SUBJECT, Box(100, 0, 400, 600))
    layout = planned(canvas="600 600", crop=True, crop_margin="20px", position="100% 0%")
    # 120×160 px become 450×600.
    assert layout == Layout(600, 600, Box(80, 40, 120, 160), Box(150, 0, 450, 600))
    assert planned(canvas="600 600", crop=True, enlarge="never").target == Box(260, 240, 80, 120)
    whole, options = Box(0, 0, 100, 80), Options.parse({"crop": 1, "crop_margin": "10px", "canvas": "240 200"})
    assert plan(100, 80, whole, None, options) == Layout(240, 200, whole, Box(20, 20, 200, 160))


def test_ratio_adds_room_without_resampling() -> None:
    assert planned(canvas="1:1") == Layout(400, 400, PHOTO, Box(0, 50, 400, 300))
    assert planned(canvas="2:1") == Layout(600, 300, PHOTO, Box(100, 0, 400, 300))
    assert planned(canvas="1:1", crop=True) == Layout(120, 120, SUBJECT, Box(20, 0, 80, 120))
    assert planned(canvas="1:1", scale="50%") == Layout(400, 400, SUBJECT, Box(134, 100, 133, 200))
    assert not planned(canvas="1:1").resamples


def test_largest_size_shrinks_a_canvas_with_all_that_it_shows() -> None:
    assert planned(canvas="1000 600", scale="50%", max_width=500) == Layout(500, 300, SUBJECT, Box(200, 75, 100, 150))
    small = planned(canvas="1000 600", scale="50%", enlarge="never", max_width=500)
    assert small == Layout(500, 300, SUBJECT, Box(230, 120, 40, 60))
    assert planned(canvas="800 700", enlarge="never", max_height=350).target == Box(100, 100, 200, 150)


def test_enlarge_limits_a_subject_on_the_photos_own_canvas() -> None:
    assert planned(scale="100%", enlarge="never").target == Box(160, 90, 80, 120)
    assert planned(scale="20%", enlarge="never") == planned(scale="20%")


@given(
    st.integers(1, 400), st.integers(1, 400), st.sampled_from(["1 1", "300 7", "16384 1", "1:10", "10:1", "4:5"]),
    st.booleans(), st.sampled_from(["10%", "100%", ""]), st.sampled_from(["", "0%", "100% 0%", "original"]),
)  # fmt: skip
def test_every_canvas_has_its_size_and_holds_its_target(
    width: int, height: int, canvas: str, crop: bool, scale: str, position: str
) -> None:
    options = Options.parse({"canvas": canvas, "crop": crop, "scale": scale, "position": position})
    subject = Box(width // 3, height // 4, width - width // 3, max(1, height // 2))
    layout = plan(width, height, subject, None, options)
    assert layout.target.within(layout.canvas) == layout.target
    assert not layout.target.empty
    assert layout.width * layout.height <= largest_canvas(width, height, options)
    if ":" not in canvas:
        assert (layout.width, layout.height) == tuple(map(int, canvas.split()))
