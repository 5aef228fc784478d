"""Options that exclude each other, and a canvas beyond the server's limit."""

import itertools
from typing import Any, Final

import pytest

from services.containers.animation import Animation, find_animation
from services.errors import BadOption, ConflictingOptions
from services.imaging.choices.checks import check_animation, check_background, check_canvas
from services.imaging.decode import FrameLimits
from services.imaging.errors import TooManyFrames, TooManyPixels
from services.imaging.options import Options
from services.imaging.values import CanvasSize
from tests.support.pictures.animations import tiny_gif

BACKGROUNDS: Final[dict[str, Any]] = {
    "background": "red",
    "background_gradient": "90 red blue",
    "background_blur": 30,
    "background_image": b"image",
}


@pytest.mark.parametrize("pair", list(itertools.combinations(BACKGROUNDS, 2)), ids="+".join)
def test_only_one_kind_of_background_is_taken(pair: tuple[str, str]) -> None:
    raw = {name: value for name, value in BACKGROUNDS.items() if name in pair and name != "background_image"}
    with pytest.raises(ConflictingOptions, match=f"{pair[0]} and {pair[1]} were both given"):
        check_background(Options.parse(raw), b"image" if "background_image" in pair else None)


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_each_kind_of_background_is_accepted_alone(name: str) -> None:
    check_background(Options.parse({} if name == "background_image" else {name: BACKGROUNDS[name]}), None)
    check_background(Options(), b"image")


def test_background_image_takes_the_place_of_a_presets_colour() -> None:
    check_background(Options.parse({"preset": "amazon"}), b"image")
    with pytest.raises(ConflictingOptions):
        check_background(Options.parse({"preset": "amazon", "background": "red"}), b"image")
    with pytest.raises(ConflictingOptions):
        check_background(Options.parse({"preset": "amazon", "background": "red", "background_blur": 3}), None)


def test_canvas_has_no_more_pixels_than_a_photo_may_have() -> None:
    check_canvas(Options.parse({"canvas": "1000 1000"}), 1_000_000)
    check_canvas(Options.parse({"canvas": "10:1"}), 1)
    check_canvas(Options(), 1)
    with pytest.raises(BadOption, match=r"canvas is '1000 1001'; allowed: at most 1000000 px in all"):
        check_canvas(Options.parse({"canvas": "1000x1001"}), 1_000_000)


def clip(frames: int, side: int = 16) -> Animation:
    found = find_animation(tiny_gif(frames, side), "gif", 300)
    assert found
    return found


ANIMATED: Final = Options.parse({"animated": True, "format": "webp"})


def test_animation_within_the_limits_is_taken() -> None:
    check_animation(clip(20), ANIMATED, FrameLimits(20, 20 * 256, 300))


def test_too_many_frames_for_a_request_are_a_jobs() -> None:
    with pytest.raises(TooManyFrames) as raised:
        check_animation(clip(21), ANIMATED, FrameLimits(20, as_job=300))
    assert raised.value.details == "it has 21; allowed: 20 in a request, 300 as a job"
    assert "POST /api/jobs/remove-bg" in raised.value.solution


def test_too_many_frames_for_a_job_are_refused() -> None:
    with pytest.raises(TooManyFrames, match=r"it has more than 300; allowed: 300$"):
        check_animation(clip(65_535), ANIMATED, FrameLimits(300))
    with pytest.raises(TooManyFrames, match="it has more than 300; allowed: 20 in a request, 300 as a job"):
        check_animation(clip(65_535), ANIMATED, FrameLimits(20, as_job=300))


def test_pixels_of_all_frames_count_as_they_come_and_as_they_go() -> None:
    limits = FrameLimits(300, 1_000_000)
    with pytest.raises(TooManyPixels, match="its 5 frames have 1250000 pixels together; allowed: 1000000"):
        check_animation(clip(5, side=500), ANIMATED, limits)
    check_animation(clip(5), ANIMATED, limits)
    wide = ANIMATED.model_copy(update={"canvas": CanvasSize(1000, 1000, ratio=False)})
    with pytest.raises(TooManyPixels, match="its 5 frames have 5000000 pixels together"):
        check_animation(clip(5), wide, limits)


def test_format_without_animations_is_refused_for_an_animation() -> None:
    with pytest.raises(BadOption, match="format is 'jpeg'; allowed: webp, png, gif or auto"):
        check_animation(clip(2), Options.parse({"animated": True, "format": "jpeg"}), FrameLimits())
