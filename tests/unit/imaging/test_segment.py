"""The picture and the prompt that a model is given."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from services.capacity.deadline import Deadline
from services.errors import BadOption
from services.imaging.prompt import Mark, Prompt
from services.imaging.rasters import Mask, Photo
from services.imaging.segment import segment


@dataclass
class Recorder:
    """A segmenter that keeps its input, and returns its red channel as the mask."""

    takes_prompt: bool = True
    size: tuple[int, int] = (32, 24)
    name: str = "recorder"
    engine: str = "none"
    precision: str = "f32"
    identity: str = "recorder"
    images: list[Image.Image] = field(default_factory=list)
    prompts: list[Prompt | None] = field(default_factory=list)

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        return self.size

    def mask(self, image: Image.Image, deadline: Deadline, prompt: Prompt | None = None) -> Mask:
        self.images.append(image)
        self.prompts.append(prompt)
        return np.asarray(image.getchannel("R"))


def plain(colour: tuple[int, int, int], width: int = 320, height: int = 240) -> Photo:
    return Photo(np.full((height, width, 3), colour, np.uint8))


def test_model_gets_the_photo_in_its_own_size() -> None:
    pixels = plain((10, 20, 30), 900, 700).pixels.copy()
    pixels[:, 450:] = (250, 240, 230)
    model = Recorder()
    mask = segment(Photo(pixels), model, Deadline())
    (seen,) = (np.asarray(image) for image in model.images)
    assert seen.shape == (24, 32, 3)
    assert (seen[:, :12] == (10, 20, 30)).all()
    assert (seen[:, 20:] == (250, 240, 230)).all()
    assert np.array_equal(mask, seen[..., 0])


@pytest.mark.parametrize(("colour", "ground"), [((240, 240, 240), 0), ((20, 20, 20), 255)])
def test_transparent_photo_is_shown_over_the_more_different_ground(colour: tuple[int, int, int], ground: int) -> None:
    pixels = plain(colour).pixels.copy()
    alpha = np.zeros((240, 320), np.uint8)
    alpha[:, 160:] = 255
    # A hidden colour that must not be seen.
    pixels[:, :160] = (255, 0, 255)
    model = Recorder()
    segment(Photo(pixels, alpha), model, Deadline())
    seen = np.asarray(model.images[0])
    assert (seen[:, :12] == ground).all()
    assert (seen[:, 20:] == colour).all()


def test_prompt_is_scaled_to_the_models_input() -> None:
    model = Recorder()
    segment(plain((0, 0, 0)), model, Deadline(), (Mark(160, 120, 1), Mark(320, 240, 0)))
    segment(plain((0, 0, 0)), model, Deadline())
    assert model.prompts == [(Mark(16, 12, 1), Mark(32, 24, 0)), None]


def test_prompt_outside_the_photo_is_refused() -> None:
    model = Recorder()
    with pytest.raises(BadOption, match="0 to 320 across and 0 to 240 down"):
        segment(plain((0, 0, 0)), model, Deadline(), (Mark(321, 0, 1),))
    assert model.images == []


def test_prompt_is_refused_by_a_model_that_takes_none() -> None:
    with pytest.raises(BadOption, match="recorder takes none"):
        segment(plain((0, 0, 0)), Recorder(takes_prompt=False), Deadline(), (Mark(1, 1, 1),))
