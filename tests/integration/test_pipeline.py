"""Properties that every result has, on real photographs with the real model."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services import errors
from services.capacity.admission import Admission
from services.capacity.deadline import Deadline
from services.imaging.decode import ImageLimits
from services.imaging.options import Options
from services.imaging.pipeline import Result
from services.inference.segmenter import RembgSegmenter
from services.removal import Remover
from tests.support.images import encoded, pixels

Load = Callable[[str], Image.Image]
Remove = Callable[..., Result]


class OneModel:
    """A model source with one loaded model."""

    def __init__(self, segmenter: RembgSegmenter) -> None:
        self.segmenter = segmenter

    def get(self, _name: str | None, _deadline: Deadline) -> RembgSegmenter:
        return self.segmenter


@pytest.fixture(scope="module")
def remove(segmenter: RembgSegmenter) -> Remove:
    """Return the pipeline as a function of a file's bytes and raw options."""

    def run(data: bytes, seconds: float | None = None, **raw: Any) -> Result:
        remover = Remover(OneModel(segmenter), ImageLimits(), Admission(1, 0))
        return remover.remove(data, Options.parse(raw), deadline=Deadline(seconds))

    return run


def test_opaque_pixels_are_unchanged_and_transparent_pixels_are_zero(remove: Remove, photo: Load) -> None:
    for name in ("astronaut", "chelsea", "coffee", "motorcycle_left"):
        image = photo(name)
        result = pixels(remove(encoded(image, "PNG")).data)
        colours, alpha, original = result[..., :3], result[..., 3], np.asarray(image)
        assert result.shape == (*original.shape[:2], 4)
        assert (alpha == 255).any()
        assert (alpha == 0).any()
        assert np.array_equal(colours[alpha == 255], original[alpha == 255])
        assert colours[alpha == 0].max() == 0


def test_mask_covers_the_astronaut_but_not_her_background(remove: Remove, photo: Load) -> None:
    mask = pixels(remove(encoded(photo("astronaut"), "PNG"), output="mask").data)
    assert mask.shape == (512, 512)
    # Her face is foreground; the space shuttle at the top right is background.
    assert mask[60:180, 190:260].mean() > 250
    assert mask[:60, 400:].mean() < 40


def test_mask_equals_the_cutouts_alpha(remove: Remove, photo: Load) -> None:
    data = encoded(photo("coffee"), "PNG")
    assert np.array_equal(pixels(remove(data, output="mask").data), pixels(remove(data).data)[..., 3])


def test_soft_edges_keep_rembgs_mask(remove: Remove, photo: Load, segmenter: RembgSegmenter) -> None:
    image = photo("chelsea")
    theirs = np.asarray(segmenter._session.predict(image)[0], dtype=np.int16)
    ours = pixels(remove(encoded(image, "PNG"), output="mask", edges="soft").data)
    assert np.abs(ours - theirs).mean() / 255 < 0.002


def test_input_transparency_is_never_reduced(remove: Remove, photo: Load) -> None:
    image = photo("astronaut").convert("RGBA")
    ramp = Image.linear_gradient("L").resize(image.size)
    image.putalpha(ramp)
    result = pixels(remove(encoded(image, "PNG")).data)
    assert (result[..., 3] <= np.asarray(ramp)).all()
    assert result[..., 3].max() > 200


def test_processing_a_cutout_again_barely_changes_its_alpha(remove: Remove, photo: Load) -> None:
    once = remove(encoded(photo("astronaut"), "PNG")).data
    first, second = pixels(once)[..., 3], pixels(remove(once).data)[..., 3]
    assert np.abs(first.astype(int) - second).mean() / 255 < 0.015


def test_colours_of_transparent_pixels_do_not_change_the_mask(remove: Remove, photo: Load) -> None:
    image = photo("astronaut").convert("RGBA")
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 512, 40))
    image.putalpha(alpha)
    other = image.copy()
    other.paste((255, 0, 255, 0), (0, 0, 512, 40))
    one, two = (remove(encoded(i, "PNG"), output="mask").data for i in (image, other))
    assert one == two


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
def test_results_contain_no_input_metadata(remove: Remove, photo: Load, form: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET-DESCRIPTION"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.5)
    data = encoded(photo("chelsea"), "JPEG", exif=exif, comment=b"SECRET-COMMENT", quality=90)
    assert b"SECRET" in data
    result = remove(data, format=form).data
    assert b"SECRET" not in result
    assert b"Exif" not in result
    with Image.open(io.BytesIO(result)) as image:
        assert not image.getexif()
        assert "icc_profile" not in image.info
        assert "comment" not in image.info


def test_jpeg_has_a_white_background_and_no_alpha(remove: Remove, photo: Load) -> None:
    data = encoded(photo("astronaut"), "PNG")
    alpha = pixels(remove(data).data)[..., 3]
    result = pixels(remove(data, format="jpeg", quality=95).data)
    assert result.shape == (512, 512, 3)
    deep = np.asarray(Image.fromarray(alpha).resize((64, 64), Image.Resampling.BOX)) == 0
    assert result[::8, ::8][deep].min() > 245


def test_webp_keeps_alpha_exactly(remove: Remove, photo: Load) -> None:
    data = encoded(photo("astronaut"), "PNG")
    assert np.array_equal(pixels(remove(data, format="webp").data)[..., 3], pixels(remove(data).data)[..., 3])


def test_lower_quality_makes_lossy_files_smaller(remove: Remove, photo: Load) -> None:
    data = encoded(photo("astronaut"), "PNG")
    for form in ("webp", "jpeg"):
        assert len(remove(data, format=form, quality=20).data) < len(remove(data, format=form, quality=90).data)


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({"max_width": 256}, (256, 170)),
        ({"max_height": 75}, (113, 75)),
        ({"max_width": 100, "max_height": 100}, (100, 67)),
        ({"max_width": 9999, "max_height": 9999}, (451, 300)),
        ({"preset": "thumbnail"}, (300, 200)),
        ({"preset": "thumbnail", "max_width": 90}, (90, 60)),
        ({"preset": "print"}, (451, 300)),
        ({"max_width": 1}, (1, 1)),
    ],
)
def test_maximum_size_keeps_the_aspect_ratio_and_never_enlarges(
    remove: Remove, photo: Load, asked: dict[str, object], size: tuple[int, int]
) -> None:
    result = remove(encoded(photo("chelsea"), "PNG"), **asked)
    with Image.open(io.BytesIO(result.data)) as image:
        assert image.size == size == (result.width, result.height)


@pytest.mark.parametrize(
    ("preset", "form", "bound"),
    [
        ("web", "jpeg", (800, 600)),
        ("social", "png", (1080, 1080)),
        ("print", "png", (1200, 900)),
        ("optimized", "webp", (1200, 800)),
        ("mobile", "webp", (800, 600)),
        ("desktop", "jpeg", (1920, 1080)),
        ("thumbnail", "webp", (300, 300)),
    ],
)
def test_presets_set_format_and_size(
    remove: Remove, photo: Load, preset: str, form: str, bound: tuple[int, int]
) -> None:
    data = encoded(photo("coffee").resize((1200, 900)), "JPEG")
    result = remove(data, preset=preset)
    with Image.open(io.BytesIO(result.data)) as image:
        assert image.format == form.upper()
        assert image.width <= bound[0]
        assert image.height <= bound[1]
    # An explicit option overrides the preset.
    assert remove(data, preset=preset, format="png").format.value == "png"


def test_downscaled_cutout_has_no_background_fringe(remove: Remove) -> None:
    """Downscale a red disc on green: no edge pixel may be greener than the disc."""
    image = Image.new("RGBA", (600, 600), (0, 255, 0, 0))
    disc = Image.new("L", (600, 600), 0)
    y, x = np.mgrid[:600, :600]
    inside = ((x - 300) ** 2 + (y - 300) ** 2 < 200**2).astype(np.uint8) * 255
    disc = Image.fromarray(inside)
    image.paste((220, 30, 30), mask=disc)
    image.putalpha(disc)
    result = pixels(remove(encoded(image, "PNG"), max_width=150).data)
    edge = (result[..., 3] > 0) & (result[..., 3] < 255)
    assert edge.any()
    assert result[..., 1][edge].max() <= 31


def test_background_colour_fills_transparent_pixels(remove: Remove, photo: Load) -> None:
    data = encoded(photo("astronaut"), "PNG")
    cutout = pixels(remove(data).data).astype(np.float64)
    result = pixels(remove(data, background="#3366cc").data)
    assert result.shape == (512, 512, 3)
    share = cutout[..., 3:] / 255
    expected = cutout[..., :3] * share + np.array([0x33, 0x66, 0xCC]) * (1 - share)
    assert np.abs(result - expected).max() <= 0.51


def test_half_transparent_background_stays_half_transparent(remove: Remove, photo: Load) -> None:
    data = encoded(photo("astronaut"), "PNG")
    alpha = pixels(remove(data).data)[..., 3]
    result = pixels(remove(data, background="3366cc80").data)
    assert set(np.unique(result[..., 3][alpha == 0])) == {0x80}
    assert (result[..., :3][alpha == 0] == (0x33, 0x66, 0xCC)).all()
    assert (result[..., 3][alpha == 255] == 255).all()


def test_threshold_makes_a_binary_mask(remove: Remove, photo: Load) -> None:
    data = encoded(photo("chelsea"), "PNG")
    soft = pixels(remove(data, output="mask").data)
    hard = pixels(remove(data, output="mask", threshold=128).data)
    assert np.array_equal(hard, np.where(soft >= 128, 255, 0))


def test_alpha_boost_steepens_the_mask_around_one_half(remove: Remove, photo: Load) -> None:
    data = encoded(photo("chelsea"), "PNG")
    soft = pixels(remove(data, output="mask").data).astype(float)
    boosted = pixels(remove(data, output="mask", alpha_boost=2).data)
    assert np.abs(boosted - np.clip((soft - 127.5) * 2 + 127.5, 0, 255)).max() <= 0.51


def test_feather_softens_a_hard_edge_over_its_width(remove: Remove) -> None:
    from services.imaging.edges.refine import feather

    step = np.zeros((101, 400), dtype=np.uint8)
    step[:, 200:] = 255
    for radius in (2.0, 10.0, 40.0):
        row = feather(step, radius)[50].astype(float)
        reach = ((row > 2) & (row < 253)).sum() / 2
        assert 0.6 * radius <= reach <= 1.6 * radius
        # The edge keeps its position.
        assert abs(row[199] + row[200] - 255) <= 3


def test_small_and_thin_photos_are_processed(remove: Remove, photo: Load) -> None:
    for size in ((16, 16), (16, 900), (2000, 17)):
        result = remove(encoded(photo("chelsea").resize(size), "PNG"))
        assert (result.width, result.height) == size


def test_side_too_long_for_the_format_is_refused(remove: Remove) -> None:
    data = encoded(Image.new("RGB", (16400, 16)), "PNG")
    assert remove(data).width == 16400
    with pytest.raises(errors.BadOption, match="16383"):
        remove(data, format="webp")


def test_same_input_gives_the_same_bytes(remove: Remove, photo: Load) -> None:
    data = encoded(photo("coffee"), "JPEG")
    assert remove(data).data == remove(data).data


def test_result_records_its_facts(remove: Remove, photo: Load) -> None:
    data = encoded(photo("chelsea"), "JPEG")
    result = remove(data, max_width=100)
    assert (result.original_width, result.original_height, result.original_bytes) == (451, 300, len(data))
    assert (result.original_format, result.model, result.quality) == ("jpeg", "u2netp", None)
    assert list(result.timings) == ["queue", "decode", "segment", "refine", "decontaminate", "compose", "encode"]
    assert all(ms >= 0 for ms in result.timings.values())


def test_deadline_stops_the_pipeline(remove: Remove, photo: Load) -> None:
    data = encoded(photo("coffee"), "JPEG")
    with pytest.raises(errors.DeadlineExceeded):
        remove(data, seconds=0.0)
    # The session still works.
    assert remove(data).data
