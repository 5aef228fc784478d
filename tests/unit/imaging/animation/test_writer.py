"""The files of all three formats, read back."""

import io
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.errors import BadOption
from services.imaging.animation.writer import check_format, make_writer
from services.imaging.compose import Canvas
from services.imaging.formats import Format
from services.imaging.options import Options
from tests.support.pictures.animations import shown
from tests.support.pictures.canvases import disc_canvases, opaque_canvases

FORMATS = ("webp", "png", "gif")


def written(canvases: list[Canvas], name: str, durations: list[float], plays: int = 0, **more: Any) -> bytes:
    writer = make_writer(Options.parse({"animated": "true", "format": name, **more}), len(canvases), plays)
    for canvas, duration in zip(canvases, durations, strict=True):
        writer.add(canvas, Fraction(duration) / 1000)
    return writer.finish()


@pytest.mark.parametrize("name", FORMATS)
def test_frames_come_back_with_their_times(name: str) -> None:
    data = written(disc_canvases(4), name, [40, 0, 250, 1000])
    found = shown(data)
    assert [duration for _, duration in found] == [40, 0, 250, 1000]
    for (pixels, _), canvas in zip(found, disc_canvases(4), strict=True):
        assert canvas.alpha is not None
        assert np.array_equal(pixels[..., 3], canvas.alpha)
        seen = canvas.alpha > 0
        # WebP is lossy.
        assert np.abs(pixels[seen][:, :3].astype(int) - canvas.pixels[seen]).mean() < 6


@pytest.mark.parametrize("name", FORMATS)
def test_opaque_frames_come_back(name: str) -> None:
    canvases = opaque_canvases(4)
    data = written(canvases, name, [50] * 4)
    found = shown(data)
    for (pixels, _), canvas in zip(found, canvases, strict=True):
        assert (pixels[..., 3] == 255).all()
        assert np.abs(pixels[..., :3].astype(int) - canvas.pixels).mean() < 6
    # Only what changes is written: four whole frames would be larger.
    assert len(data) < 2.5 * len(written(canvases[:2], name, [50] * 2))


@pytest.mark.parametrize("name", FORMATS)
def test_frames_that_do_not_change_stay_frames(name: str) -> None:
    data = written(disc_canvases(1) * 3, name, [50, 60, 70])
    found = shown(data)
    assert [duration for _, duration in found] == [50, 60, 70]
    assert all(np.array_equal(pixels, found[0][0]) for pixels, _ in found)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("plays", "loop"), [(0, 0), (1, 1), (5, 5)])
def test_plays_are_written(name: str, plays: int, loop: int) -> None:
    with Image.open(io.BytesIO(written(disc_canvases(2), name, [50, 50], plays))) as image:
        # A GIF counts the repeats, and has no mark where it plays once.
        assert image.info.get("loop") == (loop if name != "gif" else {0: 0, 1: None, 5: 4}[plays])


@pytest.mark.parametrize("name", FORMATS)
def test_mask_in_grey_comes_back(name: str) -> None:
    masks = [Canvas(canvas.alpha, None, canvas.foreground) for canvas in disc_canvases(3) if canvas.alpha is not None]
    for (pixels, _), canvas in zip(shown(written(masks, name, [50] * 3)), masks, strict=True):
        assert np.abs(pixels[..., 0].astype(int) - canvas.pixels).mean() < 2


@pytest.mark.parametrize("name", ["webp", "png"])
def test_dpi_is_written(name: str) -> None:
    plain, dense = (written(disc_canvases(2), name, [50, 50], **more) for more in ({}, {"dpi": 300}))
    with Image.open(io.BytesIO(dense)) as image:
        density = image.info["dpi"][0] if name == "png" else float(image.getexif()[282])
    assert round(density) == 300
    assert len(dense) > len(plain)
    assert len(shown(dense)) == 2


@pytest.mark.parametrize("form", [f for f in Format if f not in FORMATS])
def test_format_without_animations_is_refused(form: Format) -> None:
    options = Options(format=form, animated=True)
    with pytest.raises(BadOption, match="allowed: webp, png, gif or auto for an animation"):
        check_format(options)


@pytest.mark.parametrize("name", FORMATS)
def test_format_with_animations_is_allowed(name: str) -> None:
    check_format(Options(format=Format(name), animated=True))
