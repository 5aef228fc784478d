"""A frame's place on its canvas."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from services.containers.errors import CorruptImage
from services.containers.frames import Disposal, Frame, Head, check_place

WHOLE = Frame(0, 0, 20, 10, Fraction(), Disposal.KEEP, blends=True, parts=())
HEAD = Head(20, 10, 0)


def test_frame_of_the_canvas_size_fits() -> None:
    check_place(WHOLE, HEAD, 1)
    check_place(replace(WHOLE, left=19, top=9, width=1, height=1), HEAD, 2)


@pytest.mark.parametrize(
    "change", [{"left": 1}, {"top": 1}, {"width": 21}, {"height": 11}, {"width": 0}, {"height": 0}]
)
def test_frame_beyond_the_canvas_is_refused_by_its_number(change: dict[str, Any]) -> None:
    with pytest.raises(CorruptImage, match=r"frame 7 covers .*; the canvas has 20×10"):
        check_place(replace(WHOLE, **change), HEAD, 7)
