"""The steps of one removal, with a segmenter that finds bright pixels."""

from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image, ImageDraw

from services.capacity.deadline import Deadline, Stopwatch
from services.errors import DeadlineExceeded
from services.imaging.decode import ImageLimits, inspect
from services.imaging.errors import NoSubject
from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.options import Options
from services.imaging.pipeline import OwnAlpha, Result, Rules, Sources, cut_out
from services.imaging.prompt import Prompt
from services.imaging.rasters import Mask
from tests.support.images import encoded, pixels


@dataclass
class Bright:
    """A segmenter whose mask is the picture's brightness, at a quarter of the photo's size."""

    name: str = "bright"
    takes_prompt: bool = True
    engine: str = "none"
    precision: str = "f32"
    identity: str = "bright"
    prompt: Prompt | None = None

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        return width // 4, height // 4

    def mask(self, image: Image.Image, deadline: Deadline, prompt: Prompt | None = None) -> Mask:
        deadline.check()
        self.prompt = prompt
        return np.asarray(image.convert("L"))


def sources(size: tuple[int, int] = (160, 120), box: tuple[int, ...] = (40, 40, 79, 79)) -> Sources:
    """A white box of 40×40 px on black."""
    image = Image.new("RGB", size)
    ImageDraw.Draw(image).rectangle(box, fill="white")
    return Sources(inspect(encoded(image, "PNG"), ImageLimits()))


def removed(
    given: Sources,
    segmenter: Bright | None = None,
    rules: Rules | None = None,
    watch: Stopwatch | None = None,
    **raw: object,
) -> Result:
    options = Options.parse({"edges": "soft", **raw})
    return cut_out(given, options, segmenter or Bright(), watch or Stopwatch(Deadline()), rules or Rules())


def test_gradient_fills_what_the_subject_leaves_free() -> None:
    plain = pixels(removed(sources()).data)
    ground = pixels(removed(sources(), background_gradient="90 #ff0000 #0000ff").data)
    assert ground.shape == (120, 160, 3)
    free, full = plain[:, :, 3] == 0, plain[:, :, 3] == 255
    assert np.array_equal(ground[full], plain[full][:, :3])
    row = ground[10].astype(int)
    assert free[10].all()
    assert (np.diff(row[:, 0]) <= 0).all()
    assert (row[0][0], row[-1][2]) == (254, 254)


def test_blurred_ground_is_the_photo_without_its_subject() -> None:
    image = Image.effect_noise((160, 120), 40).point(lambda value: value // 8).convert("RGB")
    ImageDraw.Draw(image).rectangle((40, 40, 79, 79), fill="white")
    given = [Sources(inspect(encoded(image, "PNG"), ImageLimits())) for _ in range(2)]
    plain, blurred = pixels(removed(given[0]).data), pixels(removed(given[1], background_blur=100).data)
    assert blurred.shape == (120, 160, 3)
    full = plain[:, :, 3] == 255
    assert np.array_equal(blurred[full], plain[full][:, :3])
    # Away from the subject, whose mask is soft.
    assert blurred[:, 90:].std() < np.asarray(image)[:, 90:].std() / 3


def test_mask_has_no_blurred_ground() -> None:
    found = removed(sources(), background_blur=30, output="mask")
    assert found.data == removed(sources(), output="mask").data
    assert "blur" not in found.timings


def test_steps_run_in_order_and_are_measured() -> None:
    steps: list[str] = []
    found = removed(sources(), watch=Stopwatch(Deadline(), steps.append))
    assert steps == ["decode", "segment", "refine", "decontaminate", "compose", "encode"]
    assert list(found.timings) == steps
    assert "decontaminate" not in removed(sources(), decontaminate=False).timings


def test_result_holds_the_cut_out_and_its_facts() -> None:
    found = removed(sources(), format="webp", quality=70, model=None)
    picture = pixels(found.data)
    assert picture.shape == (120, 160, 4)
    assert picture[60, 60].tolist() == [255] * 4
    assert picture[10, 10, 3] == 0
    assert (found.width, found.height, found.original_width, found.original_height) == (160, 120, 160, 120)
    assert (found.format, found.quality, found.model, found.original_format) == (Format.WEBP, 70, "bright", "png")
    assert found.foreground.within(Box(36, 36, 48, 48)) == found.foreground
    assert found.confidence == 1.0
    assert removed(sources()).quality is None


def test_region_limits_the_search_and_moves_the_prompt() -> None:
    segmenter = Bright()
    prompt = [{"type": "point", "data": [60, 60]}]
    found = removed(sources(), segmenter, roi="40px 40px 60px 120px", prompt=prompt)
    alpha = pixels(found.data)[..., 3]
    assert alpha[:, 60:].max() == 0
    assert alpha[60, 50] == 255
    # The region's corner is at (40, 40), and the model sees a quarter of its size.
    assert segmenter.prompt == ((5.0, 5.0, 1),)


def test_picture_without_a_subject_is_refused_only_by_rule() -> None:
    # The box is drawn outside of the picture.
    black = sources(box=(-2, -2, -1, -1))
    assert removed(black).confidence == 0.0
    with pytest.raises(NoSubject):
        removed(black, rules=Rules(require_subject=True))


def test_opaque_result_becomes_a_jpeg_by_rule() -> None:
    rules = Rules(jpeg_if_opaque=True)
    assert removed(sources(), rules=rules, background="red").format is Format.JPEG
    assert removed(sources(), rules=rules).format is Format.PNG


def test_expired_deadline_stops_before_the_first_step() -> None:
    steps: list[str] = []
    with pytest.raises(DeadlineExceeded):
        removed(sources(), watch=Stopwatch(Deadline(0), steps.append))
    assert steps == []


def translucent() -> Sources:
    """A white box on black whose left half is half transparent."""
    image = Image.new("RGBA", (160, 120), (0, 0, 0, 255))
    ImageDraw.Draw(image).rectangle((40, 40, 79, 79), fill="white")
    image.paste((0, 0, 0, 128), (0, 0, 40, 120))
    return Sources(inspect(encoded(image, "PNG"), ImageLimits()))


def test_own_alpha_is_the_matte_without_segmentation_where_asked_for() -> None:
    found = removed(translucent(), rules=Rules(own_alpha=OwnAlpha.MATTE))
    assert np.array_equal(pixels(found.data)[..., 3], np.where(np.arange(160) < 40, 128, 255) * np.ones((120, 1)))
    assert "segment" not in found.timings
    opaque = removed(sources(), rules=Rules(own_alpha=OwnAlpha.MATTE))
    assert opaque.data == removed(sources()).data


def test_own_alpha_is_discarded_where_asked_for() -> None:
    image = Image.new("RGBA", (160, 120), (255, 255, 255, 128))
    image.paste((0, 0, 0, 128), (40, 30, 120, 90))
    given = Sources(inspect(encoded(image, "PNG"), ImageLimits()))
    assert pixels(removed(given).data)[..., 3].max() == 128
    given = Sources(inspect(encoded(image, "PNG"), ImageLimits()))
    assert pixels(removed(given, rules=Rules(own_alpha=OwnAlpha.DISCARD)).data)[..., 3].max() == 255
