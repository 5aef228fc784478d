"""Booleans and colours as callers write them."""

import pytest
from PIL import ImageColor

from services.imaging.values import (
    BOOLEAN_WORDS,
    FALSE,
    TRUE,
    CanvasSize,
    Colour,
    parse_bool,
    parse_canvas,
    parse_colour,
)


def test_boolean_words_are_parsed_in_any_case() -> None:
    for word in BOOLEAN_WORDS.split(", "):
        assert parse_bool(f" {word.upper()} ") is (word in TRUE)
    assert set(BOOLEAN_WORDS.split(", ")) == TRUE | FALSE
    assert parse_bool(True) is True
    assert parse_bool(0) is False


@pytest.mark.parametrize("value", ["", "2", "truth", "null", None, 1.0, 2])
def test_other_values_are_not_booleans(value: object) -> None:
    with pytest.raises(ValueError):
        parse_bool(value)


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("#f80", (255, 136, 0, 255)),
        ("f808", (255, 136, 0, 136)),
        ("FF8800", (255, 136, 0, 255)),
        ("#ff880080", (255, 136, 0, 128)),
        (" SteelBlue ", (70, 130, 180, 255)),
        ("transparent", (0, 0, 0, 0)),
    ],
)
def test_colours_are_hex_or_names(text: str, colour: Colour) -> None:
    assert parse_colour(text) == colour
    assert parse_colour(colour) == colour


def test_colour_that_pillow_has_cached_is_still_parsed() -> None:
    # Pillow replaces a name's hex by a tuple once it has looked the name up.
    ImageColor.getrgb("rebeccapurple")
    assert isinstance(ImageColor.colormap["rebeccapurple"], tuple)
    assert parse_colour("rebeccapurple") == (102, 51, 153, 255)


@pytest.mark.parametrize(
    "value", ["", "#", "12", "12345", "1234567", "##fff", "rgb(1,2,3)", "bluish", "٣٣٣", 123, None]
)
def test_other_texts_are_not_colours(value: object) -> None:
    with pytest.raises(ValueError):
        parse_colour(value)


def test_tuple_out_of_range_is_not_a_colour() -> None:
    for value in ((0, 0, 256, 255), (-1, 0, 0, 255), (0, 0, 0), (0, 0, 0, True), (0.0, 0, 0, 255)):
        with pytest.raises(ValueError):
            parse_colour(value)


@pytest.mark.parametrize("text", ["1000 500", "1000x500", "1000X500", " 1000 x 500 ", "1000×500", "1000px 500px"])
def test_canvas_in_px_is_written_with_a_space_or_an_x(text: str) -> None:
    assert parse_canvas(text) == CanvasSize(1000, 500, ratio=False)
    assert parse_canvas(parse_canvas(text)) == parse_canvas(text)


@pytest.mark.parametrize(
    ("text", "ratio"), [("4:5", (4, 5)), ("1.91 : 1", (1.91, 1)), ("10:1", (10, 1)), ("30:300", (30, 300))]
)
def test_canvas_is_a_ratio_where_a_colon_stands(text: str, ratio: tuple[float, float]) -> None:
    assert parse_canvas(text) == CanvasSize(*ratio, ratio=True)
