"""A second look at small subjects, with a segmenter whose mask is the picture's red channel."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from services.capacity.deadline import Deadline
from services.imaging.geometry import Box
from services.imaging.options import Options
from services.imaging.prompt import Prompt
from services.imaging.rasters import Mask, Photo
from services.imaging.segment import segment
from services.imaging.zoom import SecondLook, agreement, joined, look_again, second_look

SIDE = 64  # px of the mask


@dataclass
class Red:
    """A segmenter of little resolution."""

    takes_prompt: bool = False
    name: str = "red"
    engine: str = "none"
    precision: str = "f32"
    identity: str = "red"
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        self.sizes.append((width, height))
        return SIDE, SIDE

    def mask(self, image: Image.Image, deadline: Deadline, prompt: Prompt | None = None) -> Mask:
        return np.asarray(image.getchannel("R"))


def disc(radius: int, width: int = 1200, height: int = 900) -> Photo:
    """Return a red disc in the middle of black."""
    pixels = np.zeros((height, width, 3), np.uint8)
    cv2.circle(pixels, (width // 2, height // 2), radius, (255, 0, 0), -1)
    return Photo(pixels)


def looked(photo: Photo, segmenter: Red, **options: Any) -> SecondLook:
    first = segment(photo, segmenter, Deadline())
    return look_again(photo, first, segmenter, Options.parse(options), Deadline())


def found(photo: Photo, segmenter: Red, **options: Any) -> Mask:
    return looked(photo, segmenter, **options).mask


def error(mask: Mask, photo: Photo) -> float:
    """Return the mean difference of the enlarged mask from the truth."""
    large = cv2.resize(mask, (photo.width, photo.height), interpolation=cv2.INTER_CUBIC)
    return float(cv2.absdiff(large, photo.pixels[..., 0]).mean())


def test_second_look_halves_the_error_of_a_small_subject_at_least() -> None:
    photo, segmenter = disc(90), Red()
    once, twice = found(photo, segmenter, detail="off"), found(photo, segmenter)
    assert error(twice, photo) < error(once, photo) / 2
    assert twice.shape == (4 * SIDE, 4 * SIDE)


def test_second_look_sees_the_subject_with_its_margin() -> None:
    segmenter = Red()
    found(disc(100), segmenter)
    whole, (width, height) = segmenter.sizes
    assert whole == (1200, 900)
    assert width == pytest.approx(260, abs=2 * 1200 / SIDE)
    assert height == pytest.approx(260, abs=2 * 900 / SIDE)


@pytest.mark.parametrize(
    ("radius", "detail", "looks"), [(90, "off", 1), (90, "auto", 2), (400, "auto", 1), (400, "always", 2)]
)
def test_model_looks_again_only_where_it_is_asked_to(radius: int, detail: str, looks: int) -> None:
    segmenter = Red()
    found(disc(radius), segmenter, detail=detail)
    assert len(segmenter.sizes) == looks


def test_nothing_is_looked_at_again_without_a_subject_or_with_a_prompt() -> None:
    photo, asking = disc(90), Red(takes_prompt=True)
    assert second_look(np.zeros((SIDE, SIDE), np.uint8), photo, always=True) is None
    assert found(photo, asking, detail="always").shape == (SIDE, SIDE)


def test_whole_photo_is_not_looked_at_again() -> None:
    assert second_look(np.full((SIDE, SIDE), 255, np.uint8), disc(90), always=True) is None


def test_masks_agree_by_the_alpha_that_both_have_in_the_area() -> None:
    photo, area = disc(90, 640, 640), Box(160, 160, 320, 320)
    first, second = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    assert agreement(first, second, area, photo) == 1.0
    first[16:48, 16:48] = second[:] = 200
    assert agreement(first, second, area, photo) == 1.0
    second[:, :32] = 0
    assert agreement(first, second, area, photo) == 0.5
    second[:] = 0
    assert agreement(first, second, area, photo) == 0.0


@pytest.mark.parametrize("left", [0, 288, 608])
def test_area_of_less_than_a_pixel_of_the_mask_is_compared_by_one(left: int) -> None:
    full = np.full((8, 8), 255, np.uint8)
    assert agreement(full, full, Box(left, 0, 32, 640), disc(90, 640, 640)) == 1.0


def test_second_look_agrees_at_a_clear_subject_and_one_look_with_itself() -> None:
    assert 0.8 < looked(disc(90), Red()).agreement < 1.0
    assert looked(disc(90), Red(), detail="off").agreement == 1.0
    assert looked(disc(400), Red()).agreement == 1.0


def test_surer_mask_decides_and_the_border_has_no_seam() -> None:
    photo, area = disc(90, 640, 640), Box(160, 160, 320, 320)
    first, second = np.full((SIDE, SIDE), 40, np.uint8), np.full((SIDE, SIDE), 100, np.uint8)
    # The first one is surer everywhere.
    assert (joined(first, second, area, photo) == 40).all()
    second[:] = 255
    both = joined(first, second, area, photo)
    middle = both[both.shape[0] // 2].astype(int)
    assert (middle[0], middle[middle.size // 2]) == (40, 255)
    assert np.abs(np.diff(middle)).max() < 60


def test_photos_own_side_has_no_fading() -> None:
    photo = disc(90, 640, 640)
    both = joined(np.zeros((SIDE, SIDE), np.uint8), np.full((SIDE, SIDE), 255, np.uint8), Box(0, 0, 320, 640), photo)
    assert (both[:, 0] == 255).all()
    assert (both[:, -1] == 0).all()
