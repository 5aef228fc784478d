"""Animations of the three formats in one form."""

from fractions import Fraction

import pytest

from services.containers.animation import find_animation
from services.containers.errors import CorruptImage
from tests.support.images import encoded
from tests.support.pictures.animations import disc, disc_frames, tiny_gif

FORMS = {"GIF": "gif", "PNG": "png", "WEBP": "webp"}


@pytest.mark.parametrize("form", FORMS)
def test_frames_and_duration_are_found(form: str) -> None:
    found = find_animation(disc(4, form, durations=[10, 20, 30, 40]), FORMS[form], 300)
    assert found
    assert (len(found.frames), found.duration) == (4, Fraction(1, 10))
    assert found.frame_file(found.frames[2])


@pytest.mark.parametrize("form", [*FORMS, "JPEG"])
def test_still_picture_is_none(form: str) -> None:
    assert find_animation(encoded(disc_frames(1)[0], form), form.lower(), 300) is None


def test_no_more_frames_are_looked_for_than_the_most_and_one() -> None:
    found = find_animation(tiny_gif(1000), "gif", 20)
    assert found
    assert len(found.frames) == 21


def test_frame_larger_than_the_canvas_is_refused() -> None:
    with pytest.raises(CorruptImage, match="frame 1 covers 65535×65535 px at 0, 0; the canvas has 16×16"):
        find_animation(tiny_gif(2, place=(0, 0, 65535, 65535)), "gif", 20)


def test_canvas_without_pixels_is_refused() -> None:
    with pytest.raises(CorruptImage):
        find_animation(tiny_gif(2, side=0), "gif", 20)
