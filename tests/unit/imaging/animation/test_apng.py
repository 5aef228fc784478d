"""Animated PNG: its chunks and durations."""

from fractions import Fraction

import pytest

from services.containers.apng import CONTENT, apng_frames, png_chunks
from services.imaging.animation.apng import MOST, ApngWriter, seconds_in
from services.imaging.options import Options
from tests.support.pictures.canvases import disc_canvases


def test_chunks_are_numbered_without_a_gap() -> None:
    writer = ApngWriter(Options(), count=3, plays=0)
    for canvas in disc_canvases(3):
        writer.add(canvas, Fraction(1, 20))
    data = writer.finish()
    numbered = [place for name, place in png_chunks(data) if name in (b"fcTL", b"fdAT")]
    numbers = [int.from_bytes(data[place.start + CONTENT : place.start + CONTENT + 4], "big") for place in numbered]
    assert numbers == list(range(len(numbers)))
    names = [name for name, _ in png_chunks(data)]
    assert names[:3] == [b"IHDR", b"acTL", b"fcTL"]
    assert names[-1] == b"IEND"
    assert len(list(apng_frames(data))) == 3


@pytest.mark.parametrize(
    ("wanted", "written"),
    [(Fraction(1, 30), Fraction(1, 30)), (Fraction(0), Fraction(0)), (Fraction(5, 2), Fraction(5, 2)),
     (Fraction(1001, 30000), Fraction(1001, 30000)), (Fraction(10**6), Fraction(65535))],
)  # fmt: skip
def test_durations_are_exact_where_a_png_can_hold_them(wanted: Fraction, written: Fraction) -> None:
    assert seconds_in(wanted) == written


@pytest.mark.parametrize("wanted", [Fraction(1, 7_000_000), Fraction(12345678, 1234567), Fraction(131071, 2)])
def test_other_durations_are_near_and_fit(wanted: Fraction) -> None:
    found = seconds_in(wanted)
    assert max(found.numerator, found.denominator) <= MOST
    assert abs(found - wanted) <= wanted / 1000 + Fraction(1, MOST)
