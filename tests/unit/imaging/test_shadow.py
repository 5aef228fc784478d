"""Shadows: their reach, their darkness and their place on a canvas."""

import numpy as np
import pytest

from services.imaging.geometry import Box
from services.imaging.options import Options, Shadow
from services.imaging.rasters import Matte
from services.imaging.region import visible_box
from services.imaging.shadow import FAINT, SoftShadow, cast_shadow, shadow_area

CANVAS = Box(0, 0, 300, 260)
SUBJECT = Box(100, 50, 60, 150)


def alpha(*boxes: Box) -> Matte:
    found = np.zeros((CANVAS.height, CANVAS.width), np.uint8)
    for box in boxes or (SUBJECT,):
        found[box.slices] = 255
    return found


def shadow(kind: str, given: Matte | None = None, subject: Box = SUBJECT, **raw: object) -> SoftShadow | None:
    return cast_shadow(alpha() if given is None else given, subject, Options.parse({"shadow": kind, **raw}))


def layer(kind: str, given: Matte | None = None, subject: Box = SUBJECT, **raw: object) -> Matte:
    found = shadow(kind, given, subject, **raw)
    assert found is not None
    return found.on_canvas(CANVAS, CANVAS, CANVAS)


def test_options_without_a_shadow_cast_none() -> None:
    assert shadow("none") is None
    assert shadow("drop", shadow_opacity=0) is None
    assert shadow("drop", output="mask") is None
    assert shadow("drop", np.zeros_like(alpha()), Box(0, 0, 0, 0)) is None


def test_drop_shadow_is_the_subject_moved_down() -> None:
    dark = layer("drop")
    # Half of 255 in the middle, and 5 px (3.5% of 150) lower than the subject at its edges.
    assert abs(int(dark[130, 130]) - 128) <= 1
    assert abs(int(dark[205, 130]) - 64) <= 8
    assert abs(int(dark[55, 130]) - 64) <= 8
    assert layer("drop", shadow_opacity=100)[130, 130] >= 254


def test_contact_shadow_is_dark_at_the_feet_only() -> None:
    raised = Box(180, 50, 40, 60)
    dark = layer("contact", alpha(SUBJECT, raised), SUBJECT.around(raised))
    assert dark[199, 130] > 100
    assert dark[:150].max() <= FAINT
    # Nothing below the part that hangs in the air.
    assert dark[:, 195:].max() <= FAINT


@pytest.mark.parametrize("kind", ["drop", "contact"])
def test_shadow_stays_inside_its_box_and_area(kind: str) -> None:
    found = shadow(kind)
    assert found is not None
    assert found.area == shadow_area(SUBJECT, Shadow(kind))
    assert found.box.within(found.area) == found.box
    dark = layer(kind)
    assert dark[found.box.slices].max() > 100
    around = visible_box(dark, FAINT).grown(2, 2, 2, 2)
    assert found.box.within(around) == found.box
    dark[found.box.grown(1, 1, 1, 1).slices] = 0
    assert dark.max() <= FAINT


def test_shadow_moves_and_shrinks_with_its_photo() -> None:
    found = shadow("drop")
    assert found is not None
    whole, half = (found.on_canvas(CANVAS, CANVAS, Box(20, 10, 300 // n, 260 // n)) for n in (1, 2))
    dark = layer("drop")
    assert np.array_equal(whole[10:, 20:], dark[:-10, :-20])
    rows, columns = np.indices(dark.shape)
    assert half.sum() == pytest.approx(dark.sum() / 4, rel=0.05)
    assert np.average(columns, weights=half) == pytest.approx(20 + np.average(columns, weights=dark) / 2, abs=0.6)
    assert np.average(rows, weights=half) == pytest.approx(10 + np.average(rows, weights=dark) / 2, abs=0.6)
    assert half[:, 170:].max() == 0
