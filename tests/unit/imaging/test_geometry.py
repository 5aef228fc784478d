"""Lengths, margins, positions and regions: what callers write, and what it is on a picture."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services import errors
from services.imaging.geometry import (
    Box,
    Length,
    corners_box,
    mapped,
    margins,
    parse_corners,
    parse_margin,
    parse_position,
    parse_scale,
)
from services.imaging.options import Options

NUMBERS = st.integers(0, 10_000) | st.decimals(0, 1000, places=2)
LENGTHS = st.builds(lambda number, unit: (float(number), unit), NUMBERS, st.sampled_from(["px", "%"]))


def written(lengths: list[tuple[float, str]]) -> str:
    return " ".join(f"{value:g}{unit}" for value, unit in lengths)


def near(found: tuple[Length, ...], expected: list[tuple[float, str]]) -> bool:
    return all(
        length.unit == unit and math.isclose(length.value, float(f"{value:g}"))
        for length, (value, unit) in zip(found, expected, strict=True)
    )


@given(st.lists(LENGTHS, min_size=1, max_size=5))
def test_a_margin_has_one_two_or_four_lengths_in_the_order_of_css(lengths: list[tuple[float, str]]) -> None:
    if len(lengths) in (3, 5):
        with pytest.raises(ValueError, match="one, two or four"):
            parse_margin(written(lengths))
        return
    top, right, bottom, left = {1: [0, 0, 0, 0], 2: [0, 1, 0, 1], 4: [0, 1, 2, 3]}[len(lengths)]
    assert near(parse_margin(written(lengths)), [lengths[i] for i in (top, right, bottom, left)])


@given(st.lists(LENGTHS, min_size=4, max_size=4), st.integers(1, 5000), st.integers(1, 5000))
def test_a_region_lies_inside_the_picture_or_is_refused(
    lengths: list[tuple[float, str]], width: int, height: int
) -> None:
    corners = parse_corners(written(lengths))
    problem, box = "", Box(0, 0, 1, 1)
    try:
        box = corners_box(corners, width, height)
    except ValueError as exc:
        problem = str(exc)
    assert not problem or "empty" in problem or "exceeds" in problem
    assert not box.empty
    assert box.within(Box(0, 0, width, height)) == box


@given(st.text(max_size=20))
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    for parse in (parse_margin, parse_corners, parse_position, parse_scale):
        try:
            parse(text)
        except ValueError:
            continue


@settings(deadline=None)
@given(st.text(alphabet="0123456789.px% -+e", max_size=16))
def test_any_text_that_looks_like_lengths_is_an_option_or_a_bad_option(text: str) -> None:
    for name in ("crop_margin", "scale", "position", "roi"):
        details = ""
        try:
            Options.parse({name: text})
        except errors.BadOption as exc:
            details = exc.details
        assert details.startswith(f"{name} is " if details else "")


def test_zero_needs_no_unit_and_other_numbers_do() -> None:
    assert parse_margin("0") == parse_margin(0) == parse_margin("0px") == (Length(0, "px"),) * 4
    assert parse_corners("0 0 100% 100%")[:2] == (Length(0, "px"), Length(0, "px"))
    for text in ("5", "0 5", "5em", "-5px", "5 px", "5px,5px", "1e2px", "٣px", "px", "%", ""):
        with pytest.raises(ValueError, match="length"):
            parse_margin(text)


@pytest.mark.parametrize(
    ("text", "margin"),
    [
        ("10%", (30, 20, 30, 20)),
        ("30px", (30, 30, 30, 30)),
        ("10% 5px", (30, 5, 30, 5)),
        ("1px 2px 3px 4px", (1, 2, 3, 4)),
        ("90%", (150, 100, 150, 100)),  # half of the subject, at most
        ("400px", (150, 100, 150, 100)),
    ],
)
def test_margins_are_of_the_subject_and_bounded(text: str, margin: tuple[int, ...]) -> None:
    assert margins(parse_margin(text), Box(7, 7, 200, 300)) == margin


def test_a_margin_is_never_more_than_500_px() -> None:
    assert margins(parse_margin("50% 9999px"), Box(0, 0, 3000, 4000)) == (500, 500, 500, 500)


def test_positions() -> None:
    assert parse_position("center") == parse_position(" CENTER ") == (50.0, 50.0)
    assert parse_position("25%") == (25.0, 25.0)
    assert parse_position("0 100%") == (0.0, 100.0)
    assert parse_position("original") == "original"
    for bad in ("101%", "5px", "50", "1% 2% 3%", "left", "center center", True, 50):
        with pytest.raises(ValueError):
            parse_position(bad)


def test_scales() -> None:
    assert parse_scale("10%") == parse_scale("10") == parse_scale(10) == 10.0
    assert parse_scale("66.5%") == 66.5
    assert parse_scale("Original") is None
    wrong: tuple[object, ...] = ("9.9%", "101%", "50px", True, "x", [], float("nan"))
    for bad in wrong:
        with pytest.raises(ValueError):
            parse_scale(bad)


def test_a_region_in_px_and_per_cent() -> None:
    assert corners_box(parse_corners("10px 0 50% 100%"), 200, 101) == Box(10, 0, 90, 101)
    assert corners_box(parse_corners("33% 33% 34% 34%"), 10, 10) == Box(3, 3, 1, 1)  # outwards: never nothing
    for text, why in (
        ("0 0 201px 1px", "exceeds"),
        ("0 0 10% 100.1%", "exceeds"),
        ("50% 0 50% 100%", "empty"),
        ("60px 0 50px 100%", "empty"),
    ):
        with pytest.raises(ValueError, match=why):
            corners_box(parse_corners(text), 200, 100)


def test_mapped_box_keeps_its_place_within_the_source() -> None:
    source, target = Box(10, 20, 100, 50), Box(0, 0, 200, 100)
    assert mapped(source, source, target) == target
    assert mapped(Box(35, 20, 50, 25), source, target) == Box(50, 0, 100, 50)
    # Beyond the source as well, and never without any px.
    assert mapped(Box(0, 0, 300, 200), source, target) == Box(-20, -40, 600, 400)
    assert mapped(Box(10, 20, 1, 1), source, Box(5, 5, 10, 5))[2:] == (1, 1)
