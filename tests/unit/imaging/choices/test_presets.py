"""Presets: what each promises, measured on a photo."""

import io
from datetime import date
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image, ImageDraw

from services.capacity.deadline import Deadline, Stopwatch
from services.imaging.choices.presets import PRESETS
from services.imaging.decode import ImageLimits, inspect
from services.imaging.formats import Format
from services.imaging.options import Options
from services.imaging.pipeline import Result, Rules, Sources, compose_given
from tests.support.images import encoded, pixels

OLD = {
    "web": {"max_width": 800, "max_height": 600, "format": "jpeg", "quality": 80},
    "social": {"max_width": 1080, "max_height": 1080, "format": "png"},
    "print": {"format": "png"},
    "optimized": {"max_width": 1200, "max_height": 800, "format": "webp", "quality": 70},
    "mobile": {"max_width": 800, "max_height": 600, "format": "webp", "quality": 70},
    "desktop": {"max_width": 1920, "max_height": 1080, "format": "jpeg", "quality": 85},
    "thumbnail": {"max_width": 300, "max_height": 300, "format": "webp", "quality": 60},
}
# Size in px, share of the canvas in per cent, ground, dots per inch.
PROMISES: dict[str, tuple[tuple[int, int], int, int | None, int | None]] = {
    "amazon": ((2000, 2000), 85, 255, None),
    "ebay": ((1600, 1600), 90, 255, None),
    "etsy": ((2000, 1500), 80, 255, None),
    "shopify": ((2048, 2048), 80, 255, None),
    "google": ((1500, 1500), 80, 255, None),
    "square": ((1080, 1080), 80, None, None),
    "portrait": ((1080, 1350), 80, None, None),
    "story": ((1080, 1920), 80, None, None),
    "passport": ((827, 1063), 90, 0xF2, 600),
    "passport_us": ((600, 600), 90, 255, 300),
}


def made(**raw: object) -> Result:
    """A dark vase on green, 240×300 px, cut out by its mask."""
    photo, mask = Image.new("RGB", (240, 300), (40, 160, 60)), Image.new("L", (240, 300))
    for image, fill in ((photo, "#302030"), (mask, "white")):
        ImageDraw.Draw(image).ellipse((70, 60, 169, 259), fill=fill)
    files = [inspect(encoded(image, "PNG"), ImageLimits()) for image in (photo, mask)]
    sources = Sources(files[0], mask=files[1])
    return compose_given(sources, Options.parse(raw), Stopwatch(Deadline()), Rules())


def test_every_marketplace_preset_is_measured() -> None:
    assert set(PROMISES) | set(OLD) == set(PRESETS)


def test_presets_of_old_stay_as_they_are() -> None:
    assert {name: PRESETS[name].options for name in OLD} == OLD


@pytest.mark.parametrize("name", PROMISES)
def test_figures_have_a_source_a_date_and_a_note(name: str) -> None:
    preset = PRESETS[name]
    assert urlsplit(preset.source).scheme == "https"
    assert date.fromisoformat(preset.date)
    assert "own page" in preset.note
    assert preset.title


@pytest.mark.parametrize("name", PROMISES)
def test_preset_keeps_its_promise(name: str) -> None:
    size, share, ground, dpi = PROMISES[name]
    result = made(preset=name)
    shown = pixels(result.data).astype(int)
    assert (shown.shape[1], shown.shape[0]) == size
    corners = shown[[0, 0, -1, -1], [0, -1, 0, -1]]
    if ground is None:
        assert result.format is Format.PNG
        assert corners[:, 3].max() == 0
        seen = shown[..., 3] > 128
    else:
        assert result.format is Format.JPEG
        assert (corners == ground).all()
        assert result.quality == PRESETS[name].options["quality"]
        seen = shown.min(axis=2) < 150
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert max(len(columns) / size[0], len(rows) / size[1]) == pytest.approx(share / 100, abs=0.01)
    with Image.open(io.BytesIO(result.data)) as image:
        assert image.info.get("dpi") == (None if dpi is None else (dpi, dpi))


def test_longer_side_of_a_wide_subject_fills_85_per_cent_for_amazon() -> None:
    box = made(preset="amazon", crop="false").foreground
    assert max(box.width, box.height) == pytest.approx(1700, abs=20)
    assert abs(2 * box.top + box.height - 2000) <= 2


def test_given_option_wins_over_the_presets() -> None:
    assert made(preset="amazon", canvas="500 400", quality=50).width == 500
    assert made(preset="amazon", format="png", background_gradient="90 red blue").format is Format.PNG
    left = pixels(made(preset="amazon", canvas="500 400", background_gradient="90 red blue").data)[5, 5]
    assert left[0] > 200 > 50 > left[2]
