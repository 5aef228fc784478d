"""The memory estimate that admission uses."""

import pytest
from PIL import Image

from services.containers.animation import find_animation
from services.imaging.choices.weight import weight
from services.imaging.decode import ImageLimits, inspect
from services.imaging.options import Options
from services.imaging.pipeline import Sources
from tests.support.images import encoded
from tests.support.pictures.animations import tiny_gif


def sources(size: tuple[int, int]) -> Sources:
    return Sources(inspect(encoded(Image.new("RGB", size), "PNG"), ImageLimits()))


def test_weight_counts_canvas_background_and_encoder() -> None:
    photo = sources((1000, 500))
    both = Sources(photo.photo, sources((200, 100)).photo)
    assert weight(photo, Options()) == pytest.approx(0.5)
    assert weight(both, Options()) == pytest.approx(0.52)
    assert weight(both, Options.parse({"format": "webp"})) == pytest.approx(0.65)
    assert weight(photo, Options.parse({"crop": True, "crop_margin": "50%"})) == pytest.approx(2.0)
    assert weight(photo, Options.parse({"canvas": "2000 2000"})) == pytest.approx(4.0)


def test_animation_weighs_two_frames_and_its_result() -> None:
    clip = inspect(tiny_gif(32, side=1000), ImageLimits())
    animation = find_animation(clip.data, "gif", 300)
    assert weight(Sources(clip), Options()) == pytest.approx(1.0)
    assert weight(Sources(clip, animation=animation), Options()) == pytest.approx(2.0 + 2.0)
