"""The two steps from a photo to its matte."""

import numpy as np
from PIL import Image

from services.capacity.deadline import Deadline, Stopwatch
from services.imaging.edges.matte import find_mask, refined_matte
from services.imaging.options import Options
from services.imaging.prompt import Prompt
from services.imaging.rasters import Mask, Photo
from tests.support.pictures.animations import disc_frames, truth
from tests.support.pictures.brightness import Bright


def photo(number: int = 3) -> Photo:
    return Photo(np.asarray(disc_frames(number + 1)[number]))


def test_mask_and_matte_are_found_and_timed() -> None:
    watch = Stopwatch(Deadline())
    found = find_mask(photo(), Options(), Bright(), watch)
    assert (found.mask.shape, found.roi[2:], found.embedded) == ((32, 48), (96, 64), None)
    assert found.certainty > 0.5
    matte = refined_matte(found.mask, found.roi, photo(), Options(), watch)
    assert np.mean((matte > 127) == (truth(3) > 0)) > 0.98
    assert list(watch.timings) == ["segment", "refine"]


def test_matte_outside_of_the_region_is_background() -> None:
    watch, options = Stopwatch(Deadline()), Options.parse({"roi": "0 0 40px 64px"})
    found = find_mask(photo(), options, Bright(), watch)
    matte = refined_matte(found.mask, found.roi, photo(), options, watch)
    assert found.roi[2:] == (40, 64)
    assert matte[:, :40].any()
    assert not matte[:, 40:].any()


def test_picture_of_one_colour_has_an_empty_mask() -> None:
    plain = Photo(np.asarray(Image.new("RGB", (96, 64), (60, 60, 60))))
    assert not find_mask(plain, Options(), Bright(), Stopwatch(Deadline())).mask.any()


def test_smooth_matte_is_hard() -> None:
    watch, options = Stopwatch(Deadline()), Options(smooth=True)
    found = find_mask(photo(), options, Bright(), watch)
    assert set(np.unique(refined_matte(found.mask, found.roi, photo(), options, watch))) == {0, 255}


class Fickle(Bright):
    """Sees the whole picture as subject when it looks again."""

    looks = 0

    def mask(self, image: Image.Image, deadline: Deadline, prompt: Prompt | None = None) -> Mask:
        self.looks += 1
        mask = super().mask(image, deadline, prompt)
        return mask if self.looks == 1 else np.full_like(mask, 255)


def test_second_look_that_disagrees_lowers_the_certainty() -> None:
    once, steady, fickle = (
        find_mask(photo(), Options.parse({"detail": detail}), segmenter, Stopwatch(Deadline())).certainty
        for detail, segmenter in (("off", Bright()), ("always", Bright()), ("always", Fickle()))
    )
    assert fickle < 0.9 * steady <= once
