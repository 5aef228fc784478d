"""What changes from frame to frame, and how long frames are shown."""

from fractions import Fraction

import numpy as np
import pytest

from services.imaging.animation.changes import Changes, Ticks, part_of_canvas
from services.imaging.compose import Canvas
from services.imaging.geometry import Box

NOWHERE = Box(0, 0, 0, 0)


def canvas(*marked: tuple[int, int], alpha: int | None = 255) -> Canvas:
    """A canvas of 20×10 px with marked pixels (x, y)."""
    pixels = np.zeros((10, 20, 3), np.uint8)
    for x, y in marked:
        pixels[y, x, 1] = 200
    return Canvas(pixels, None if alpha is None else np.full((10, 20), alpha, np.uint8), NOWHERE)


def test_first_canvas_is_new_as_a_whole() -> None:
    assert Changes().of(canvas()) == Box(0, 0, 20, 10)


@pytest.mark.parametrize(("multiple", "expected"), [(1, Box(3, 5, 7, 2)), (2, Box(2, 4, 8, 3))])
@pytest.mark.parametrize("alpha", [255, None])
def test_box_is_around_all_changes(multiple: int, expected: Box, alpha: int | None) -> None:
    changes = Changes(multiple)
    changes.of(canvas(alpha=alpha))
    assert changes.of(canvas((3, 6), (9, 5), alpha=alpha)) == expected


def test_one_pixel_stands_for_no_change() -> None:
    changes = Changes()
    changes.of(canvas())
    assert changes.of(canvas()) == Box(0, 0, 1, 1)


def test_invisible_colours_are_not_a_change_but_vanishing_pixels_are() -> None:
    changes = Changes()
    changes.of(canvas(alpha=0))
    assert changes.of(canvas((3, 6), alpha=0)) == Box(0, 0, 1, 1)
    changes.of(canvas(alpha=255))
    assert changes.of(canvas(alpha=0)) == Box(0, 0, 20, 10)


def test_part_of_a_canvas_is_what_the_box_covers() -> None:
    part = part_of_canvas(canvas((3, 6)), Box(3, 6, 2, 1))
    assert part.pixels[..., 1].tolist() == [[200, 0]]
    assert part.alpha is not None
    assert part.alpha.shape == (1, 2)


def test_rounding_does_not_add_up() -> None:
    ticks = Ticks(per_second=100, most=1000)
    thirtieths = [ticks.of(Fraction(1, 30)) for _ in range(300)]
    assert set(thirtieths) == {3, 4}
    assert sum(thirtieths) == 1000


def test_zero_stays_zero_and_the_shortest_is_one_tick() -> None:
    ticks = Ticks(per_second=100, most=1000)
    assert [ticks.of(Fraction(ms, 1000)) for ms in (0, 1, 0, 1)] == [0, 1, 0, 1]


def test_longest_duration_is_bounded() -> None:
    assert Ticks(per_second=100, most=1000).of(Fraction(3600)) == 1000
